from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from medsweep.record import ledger
from medsweep.record.ledger import enter_verdict, state_folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "medsweep"


def numbers(*sweeps: str, test_set: str = "aa") -> list[int | None]:
    return [enter_verdict(test_set, sweep).number for sweep in sweeps]


def test_verdicts_on_a_test_set_are_counted_once_a_sweep(home: Path) -> None:
    assert numbers("s1", "s2", "s2", "s1", "s3") == [1, 2, 2, 1, 3]
    assert numbers("s4", test_set="bb") == [1]
    assert enter_verdict("aa", "s3").earlier == ("s1", "s2")
    lines = [json.loads(line) for line in (home / ledger.NAME).read_text().splitlines()]
    assert [entry["sweep"] for entry in lines] == ["s1", "s2", "s3", "s4"]
    assert all(set(entry) == {"test_set", "sweep", "time"} for entry in lines)


def test_only_the_user_may_read_it(home: Path) -> None:
    numbers("s1")
    assert home.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in home.iterdir()} == {0o600}


def test_a_torn_line_costs_no_other(home: Path) -> None:
    numbers("s1")
    with (home / ledger.NAME).open("a") as file:
        file.write('[1]\n{"test_set": "a')
    assert numbers("s2", "s3") == [2, 3]


def test_processes_wait_for_each_other(home: Path) -> None:
    code = "import sys; from medsweep.record.ledger import *; enter_verdict('aa', sys.argv[1])"
    running = [subprocess.Popen([sys.executable, "-c", code, f"s{i}"]) for i in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert numbers("last") == [5]


def test_a_ledger_that_cannot_be_kept_costs_the_count_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write_text("a file where the folder should be")
    found = enter_verdict("aa", "s1")
    assert found.number is None
    assert found.problem == "File exists"
    home.unlink()
    monkeypatch.setattr(ledger, "WAIT", 0.01)
    home.mkdir()
    with FileLock(home / "judged.lock"):
        assert enter_verdict("aa", "s1").problem == "another process holds it"


def test_the_folder_is_the_one_for_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", "/somewhere")
    assert state_folder() == Path("/somewhere/.local/state/medsweep")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder() == Path("/somewhere/.local/state/medsweep")
