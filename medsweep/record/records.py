"""What has happened to every trial, rebuilt from the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from medsweep.record.trial import Cell, Status, Trial


@dataclass(slots=True)
class TrialRecord:
    """One trial so far.

    Attributes:
        trial: what was asked for.
        status: running until it ends.
        evaluations: its learning curve, one mapping a dev evaluation, in order.
        error: for a failed trial, the kind of error and its place, never a text of a document.
        times: when each point of the curve was taken, in seconds since the epoch.
        started: when it was proposed, in seconds since the epoch.
        ended: when it ended.
    """

    trial: Trial
    status: Status = "running"
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    error: str | None = None
    started: float = 0.0
    ended: float | None = None

    @property
    def best(self) -> float | None:
        """Its best dev score so far."""
        return max((e["score"] for e in self.evaluations), default=None)

    def has(self, iteration: int) -> bool:
        """Whether this point of the learning curve is already known."""
        return any(e["iteration"] == iteration for e in self.evaluations)


@dataclass(slots=True)
class Records:
    """Every trial of a sweep by name, in the order of proposal.

    Attributes:
        start: what the sweep began with.
        done: whether there is a verdict.
        told: whether MLflow has the verdict, too.
        resumed: when it was last gone on with, in seconds since the epoch; 0 before that.
    """

    by_name: dict[str, TrialRecord] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)
    done: bool = False
    told: bool = False
    resumed: float = 0.0
    # What is asked for at every pick must not cost more the more trials there have been.
    _of: dict[tuple[Cell, str], dict[str, TrialRecord]] = field(default_factory=dict)
    _running: Counter[tuple[Cell, str]] = field(default_factory=Counter)

    def of(self, cell: Cell, phase: str) -> list[TrialRecord]:
        """The trials of a cell in a phase."""
        return list(self._of.get((cell, phase), {}).values())

    def running(self, cell: Cell, phase: str) -> int:
        """How many trials of a cell in a phase have not ended."""
        return self._running[cell, phase]

    def apply(self, event: dict[str, Any]) -> None:
        """Take one event of the journal into account."""
        kind = event["event"]
        if kind == "start":
            self.start = event
        elif kind == "proposed":
            self._add(TrialRecord(Trial.from_dict(event["item"]), started=event["time"]))
        elif kind == "evaluation":
            record = self.by_name[event["trial"]]
            if not record.has(event["values"]["iteration"]):
                record.evaluations.append(event["values"])
                record.times.append(event["time"])
        elif kind == "ended":
            record = self.by_name[event["trial"]]
            self._running[record.trial.cell, record.trial.phase] -= record.status == "running"
            record.status, record.error = event["status"], event.get("error")
            record.ended = event["time"]
        elif kind == "done":
            self.done = True
        elif kind == "told":
            self.told = True
        elif kind == "resumed":
            self.resumed = event["time"]

    def _add(self, record: TrialRecord) -> None:
        trial, known = record.trial, self.by_name.get(record.trial.name)
        self._running[trial.cell, trial.phase] += known is None or known.status != "running"
        self.by_name[trial.name] = record
        self._of.setdefault((trial.cell, trial.phase), {})[trial.name] = record

    @classmethod
    def replay(cls, events: Iterable[dict[str, Any]]) -> Records:
        """All events in order."""
        records = cls()
        for event in events:
            records.apply(event)
        return records
