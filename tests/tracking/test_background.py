import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import mlflow
import pytest

from medsweep.record.records import TrialRecord
from medsweep.record.trial import Cell, Status, Trial
from medsweep.tracking import Ending, background
from medsweep.tracking.background import BackgroundTracker
from medsweep.tracking.mlflow import MlflowTracker

ITEM = Trial("m-n50-t00", "search", Cell("m", 50))


def at(points: int, status: Status = "running") -> TrialRecord:
    curve = [{"iteration": n, "step": n, "score": n / 10} for n in range(1, points + 1)]
    return TrialRecord(ITEM, status, curve, [float(n) for n in range(points)])


class Slow:
    """Takes what it is told when it is let; refuses the first ``refusals`` times."""

    def __init__(self, refusals: int = 0) -> None:
        self.told: list[tuple[int, Status]] = []
        self.let, self.called, self.refusals = threading.Event(), threading.Event(), refusals

    def start(self, name: str, key: str, params: Mapping[str, Any]) -> None:
        pass

    def tell(self, record: TrialRecord) -> None:
        self.called.set()
        assert self.let.wait(30)
        if self.refusals:
            self.refusals -= 1
            raise OSError("away")
        self.told.append((len(record.evaluations), record.status))

    def finish(self, records: Iterable[TrialRecord], ending: Ending) -> bool:
        for record in records:
            self.tell(record)
        return True


def test_the_sweep_does_not_wait_and_the_last_record_of_a_trial_is_told() -> None:
    slow, warnings = Slow(), list[str]()
    tracker = BackgroundTracker(slow, warnings.append)
    tracker.start("sweep", "k", {})
    tracker.tell(at(1))
    assert slow.called.wait(30)
    for points in (2, 3, 4):
        tracker.tell(at(points))  # returns although nothing has been taken
    assert slow.told == []
    slow.let.set()
    assert tracker.finish([at(4, "finished")], Ending("finished"))
    # The first was under way; the three behind it are one, or the end has overtaken them.
    assert slow.told in (
        [(1, "running"), (4, "running"), (4, "finished")],
        [(1, "running"), (4, "finished")],
    )
    assert warnings == []


def test_a_refusal_is_told_of_once_and_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PAUSE", 0.01)
    slow, warnings = Slow(refusals=3), list[str]()
    slow.let.set()
    tracker = BackgroundTracker(slow, warnings.append)
    tracker.start("sweep", "k", {})
    tracker.tell(at(2))
    for _ in range(1000):
        if slow.told:
            break
        threading.Event().wait(0.01)
    assert slow.told == [(2, "running")]
    assert len(warnings) == 1
    assert "MLflow does not answer (OSError); the sweep goes on" in warnings[0]
    assert tracker.finish([], Ending("finished"))


def test_a_tracker_that_is_away_at_the_end_does_not_keep_an_interrupted_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(background.LINGER, "stopped", 0.1)
    tracker = BackgroundTracker(Slow(), lambda _: None)
    tracker.start("sweep", "k", {})
    assert not tracker.finish([at(1)], Ending("stopped"))


def test_a_terminal_that_is_gone_does_not_end_the_telling(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(line: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(background, "PAUSE", 0.01)
    slow = Slow(refusals=1)
    slow.let.set()
    tracker = BackgroundTracker(slow, gone)
    tracker.start("sweep", "k", {})
    tracker.tell(at(1))
    assert slow.called.wait(30)
    assert tracker.finish([at(2, "finished")], Ending("finished"))
    assert slow.told[-1] == (2, "finished")


@pytest.mark.slow
def test_a_locked_database_costs_nothing(tmp_path: Path, new_store: Callable[[Path], str]) -> None:
    uri = new_store(tmp_path / "mlflow.db")
    warnings: list[str] = []
    warned = threading.Event()

    def warn(line: str) -> None:
        warnings.append(line)
        warned.set()

    tracker = BackgroundTracker(MlflowTracker(uri, "e"), warn)
    tracker.start("sweep", "k", {})
    other = sqlite3.connect(tmp_path / "mlflow.db")
    other.execute("BEGIN EXCLUSIVE")
    tracker.tell(at(2))
    assert warned.wait(60)  # SQLite itself waits for five seconds
    other.rollback()
    assert tracker.finish([at(3, "finished")], Ending("finished"))
    client = mlflow.MlflowClient(tracking_uri=uri)
    runs = client.search_runs(["1"], filter_string=f"tags.`medsweep.trial` = '{ITEM.name}'")
    assert [run.info.status for run in runs] == ["FINISHED"]
    points = client.get_metric_history(runs[0].info.run_id, "score")
    assert [(p.step, p.value) for p in points] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert len(warnings) == 1
