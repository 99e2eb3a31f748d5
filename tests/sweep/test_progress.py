"""Steps, time left and states, from journals alone."""

import io
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from medsweep.errors import ConfigError
from medsweep.record.journal import Journal, is_held
from medsweep.record.records import Records
from medsweep.record.trial import Cell, Trial
from medsweep.sweep.progress import clock, progress_line
from medsweep.sweep.schedule import ArmSteps, CellSteps, Schedule
from medsweep.sweep.status import SweepStatus, follow

CELL = Cell("small", 10)
# Two trials of four evaluations, three draws of which the first is adopted, one arm twice.
SCHEDULE = Schedule(4, (CellSteps("small", 10, 0, 2, 3, 10.0, 5.0),), (ArmSteps(2, 1.0),))
START = {"event": "start", "time": 100.0, "steps": SCHEDULE.to_dict(), "sweep": {"name": "first"}}


def proposed(trial: Trial, at: float = 101.0) -> dict[str, Any]:
    return {"event": "proposed", "time": at, "item": trial.to_dict()}


def evaluated(name: str, number: int, at: float) -> dict[str, Any]:
    values = {"iteration": number, "score": 0.1 * number}
    return {"event": "evaluation", "time": at, "trial": name, "values": values}


def ended(name: str, at: float, status: str = "finished") -> dict[str, Any]:
    return {"event": "ended", "time": at, "trial": name, "status": status, "error": None}


def search(number: int) -> Trial:
    return Trial(f"small-n10-t{number:02d}", "search", CELL, number=number)


def confirm(draw: int) -> Trial:
    adopt = None if draw else "small-n10-t00"
    return Trial(f"small-n10-d{draw}", "confirm", CELL, draw=draw, adopt=adopt)


ARM = Trial("arm-0-tfidf", "arm", Cell("", 0), arm=0)
EVENTS: list[dict[str, Any]] = [
    START,
    proposed(ARM),
    proposed(search(0)),
    *(evaluated("small-n10-t00", n, 110.0 + n) for n in range(1, 5)),
    ended(ARM.name, 112.0),
    ended("small-n10-t00", 114.5),
    proposed(search(1)),
    evaluated("small-n10-t01", 1, 120.0),
    ended("small-n10-t01", 121.0, "stopped"),
    *(proposed(confirm(d)) for d in range(3)),
    ended("small-n10-d0", 123.0),
    evaluated("small-n10-d1", 1, 125.0),
    evaluated("small-n10-d1", 2, 126.0),
    *(ended(f"small-n10-d{d}", 130.0 + d) for d in (1, 2)),
]


@pytest.mark.parametrize(
    ("events", "done", "spent"),
    [
        (1, 0, 0.0),
        (5, 2, 20.0),
        (7, 4, 40.0),
        (8, 6, 42.0),  # an arm's predictions come all at once
        (12, 10, 82.0),  # what an early stop saves is done, too
        (16, 11, 87.0),
        (18, 13, 107.0),
        (20, 21, 177.0),
    ],
)
def test_steps_are_evaluations_and_predictions(events: int, done: int, spent: float) -> None:
    tally = SCHEDULE.tally(Records.replay(EVENTS[:events]))
    assert (tally.done, tally.total, tally.spent, tally.weight) == (done, 21, spent, 177.0)
    assert (tally.cells_done, tally.cells) == (done == 21, 1)


@given(st.integers(1, len(EVENTS)), st.floats(100, 140))
def test_steps_only_grow_and_the_past_can_be_asked_for(events: int, until: float) -> None:
    records = Records.replay(EVENTS[:events])
    now, before = SCHEDULE.tally(records), SCHEDULE.tally(Records.replay(EVENTS[: events - 1]))
    then = SCHEDULE.tally(records, until=until)
    assert before.done <= now.done <= now.total
    assert then.done <= now.done
    assert then.spent <= now.spent <= now.weight
    assert Schedule.from_dict(SCHEDULE.to_dict()) == SCHEDULE


def test_what_is_given_up_is_not_waited_for() -> None:
    tally = SCHEDULE.tally(Records.replay(EVENTS[:9]), given_up={("small", 10)})
    assert (tally.done, tally.total) == (6, 6)


def test_the_line_says_cells_best_running_steps_and_time_left() -> None:
    line = progress_line(Records.replay(EVENTS[:7]), SCHEDULE, now=114.0)
    assert line == (
        "4/21 steps, 0/1 cells done, best dev 0.400 (small-n10), 2 running, 0:14 gone, "
        "about 0:47 left"
    )
    over = progress_line(Records.replay(EVENTS), SCHEDULE, now=140.0)
    assert over == (
        "21/21 steps, 1/1 cells done, best dev 0.400 (small-n10), 0 running, 1 stopped, 0:40 gone"
    )
    assert progress_line(Records.replay(EVENTS[:1]), None, now=100.0) == "0 running, 0:00 gone"
    assert clock(3725) == "1:02:05"


def test_a_resumed_sweep_reckons_from_when_it_was_resumed() -> None:
    resumed = [*EVENTS[:7], {"event": "resumed", "time": 1000.0}]
    assert "left" not in progress_line(Records.replay(resumed), SCHEDULE, now=1010.0)
    later = [*resumed, ended("small-n10-t00", 1001.0), *EVENTS[9:10], ended(search(1).name, 1020)]
    line = progress_line(Records.replay(later), SCHEDULE, now=1020.0)
    assert line.endswith("0:20 gone, about 0:48 left")


# -- the state of a sweep ------------------------------------------------------------------


def written(folder: Path, events: list[dict[str, Any]]) -> Journal:
    journal = Journal(folder / "state" / "journal.jsonl")
    for event in events:
        journal.append(**{k: v for k, v in event.items() if k != "time"})
    return journal


def shown(status: SweepStatus) -> str:
    console = Console(file=io.StringIO(), width=200)
    status.show(console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_nobody_runs_an_interrupted_sweep(tmp_path: Path) -> None:
    journal = written(tmp_path / "out", EVENTS[:7])
    status = SweepStatus(tmp_path / "out")
    assert "first: running; trials: 2 running, 0 finished" in shown(status)
    assert "4/21 steps" in shown(status)
    with pytest.raises(ConfigError, match="another process is running this sweep"):
        Journal(tmp_path / "out" / "state" / "journal.jsonl")
    journal.close()
    status.refresh()
    said = shown(status)
    assert "running" not in said
    assert f"interrupted; `medsweep resume {tmp_path / 'out'}` goes on" in said
    assert "trials: 2 interrupted, 0 finished" in said


def test_a_look_does_not_keep_a_sweep_from_running(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.jsonl"
    written(tmp_path, EVENTS[:1]).close()
    assert not is_held(path)
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            is_held(path)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(20):
            Journal(path).close()
    finally:
        stop.set()
        watcher.join()


def test_a_sweep_is_followed_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medsweep.sweep.status.LOOK", 0.02)
    journal = written(tmp_path, EVENTS[:7])
    console = Console(file=io.StringIO(), width=200)
    status = SweepStatus(tmp_path)
    watcher = threading.Thread(target=follow, args=(status, console))
    watcher.start()
    time.sleep(0.1)
    assert watcher.is_alive()
    journal.append("done")
    watcher.join(10)
    assert not watcher.is_alive()
    journal.close()
    (line,) = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert line.startswith("4/21 steps, 0/1 cells done")
    assert "first: done" in shown(status)


def test_status_reads_the_journal_only(tmp_path: Path) -> None:
    written(tmp_path, EVENTS).close()
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from medsweep.cli import cli\n"
        f"done = CliRunner().invoke(cli, ['status', '--follow', {str(tmp_path)!r}])\n"
        "assert done.exit_code == 0, done.output\n"
        "print([m for m in ('ray', 'torch', 'pandas', 'numpy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
