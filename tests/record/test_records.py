"""What the journal says has happened."""

from itertools import count

from medsweep.record.records import Records
from medsweep.record.trial import Cell, Trial

CELL, OTHER = Cell("m", 10), Cell("m", 20)


def trial(name: str, cell: Cell = CELL, phase: str = "search") -> dict:
    return Trial(name, phase, cell).to_dict()


def test_trials_are_counted_as_they_come_and_go() -> None:
    records, clock = Records(), count()

    def happens(event: str, **values: object) -> None:
        records.apply({"event": event, "time": next(clock), **values})

    for name in ("a", "b"):
        happens("proposed", item=trial(name))
    happens("proposed", item=trial("c", OTHER))
    happens("proposed", item=trial("d", CELL, "confirm"))
    assert records.running(CELL, "search") == 2
    happens("ended", trial="a", status="failed")
    # Said twice, as by a trial and by its process; and tried again.
    happens("ended", trial="a", status="failed")
    assert records.running(CELL, "search") == 1
    happens("proposed", item=trial("a"))
    happens("proposed", item=trial("a"))
    assert records.running(CELL, "search") == 2
    assert [r.trial.name for r in records.of(CELL, "search")] == ["a", "b"]
    assert all(r is records.by_name[r.trial.name] for r in records.of(CELL, "search"))
    assert [records.running(c, p) for c, p in ((OTHER, "search"), (CELL, "confirm"))] == [1, 1]
    assert records.running(OTHER, "confirm") == 0
    for name in ("a", "b"):
        happens("ended", trial=name, status="stopped")
    assert records.running(CELL, "search") == 0
