import resource
from pathlib import Path

import pytest

from medsweep.errors import ConfigError, RunError
from medsweep.record.journal import Journal, read_events


def test_events_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.jsonl"
    journal = Journal(path)
    journal.append("start", digest="d")
    journal.append("ended", trial="t", status="stopped")
    journal.close()
    assert [e["event"] for e in read_events(path)] == ["start", "ended"]


def test_half_a_line_never_happened(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.jsonl"
    journal = Journal(path)
    journal.append("start", digest="d")
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"event": "ended", "tri')
    assert len(list(read_events(path))) == 1
    journal = Journal(path)
    journal.append("done")
    journal.close()
    assert [e["event"] for e in read_events(path)] == ["start", "done"]


def test_two_processes_cannot_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.jsonl"
    journal = Journal(path)
    with pytest.raises(ConfigError, match="another process is running this sweep"):
        Journal(path)
    journal.close()


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.jsonl"
    path.parent.mkdir()
    path.write_text('{"event": "start"}\nnonsense\n{"event": "done"}\n')
    with pytest.raises(ConfigError, match=r"journal.jsonl:2: damaged line"):
        list(read_events(path))


def test_what_a_full_disk_did_not_take_never_happened(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.jsonl"
    journal = Journal(path)
    journal.append("start", digest="d")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, limits[1]))
    try:
        with pytest.raises(RunError, match=r"cannot be written .*free some space"):
            journal.append("ended", trial="t")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [e["event"] for e in read_events(path)] == ["start"]
    journal.append("ended", trial="t")
    journal.close()
    assert [e["event"] for e in read_events(path)] == ["start", "ended"]


def test_it_can_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.jsonl"
    journal = Journal(path)
    journal.append("start", digest="d")
    journal.clear()
    journal.append("start", digest="e")
    journal.close()
    assert [e["digest"] for e in read_events(path)] == ["e"]
