"""What a tracker is told. It never sees a document, nor the label of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from medsweep.record.records import TrialRecord
from medsweep.record.trial import Status


@dataclass(frozen=True, slots=True)
class Ending:
    """How a sweep has ended.

    Attributes:
        status: of the whole.
        summary: its headline numbers.
        files: files and folders to keep.
        tags: of the whole, by name.
    """

    status: Status
    summary: Mapping[str, float] = field(default_factory=dict)
    files: Sequence[Path] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


class Tracker(Protocol):
    """Follows a sweep. The journal is the truth; a tracker is brought up to it, again and again."""

    def start(self, name: str, key: str, params: Mapping[str, Any]) -> None:
        """Open the sweep's own run, or take up the one it had under this key.

        Raises:
            ConfigError: nobody answers.
        """
        ...

    def tell(self, record: TrialRecord) -> None:
        """Bring a trial's run up to its record; what is known already is not told again."""
        ...

    def finish(self, records: Iterable[TrialRecord], ending: Ending) -> bool:
        """The sweep has ended; all of its trials are told once more.

        Returns:
            Whether all of it has been taken.
        """
        ...


class NullTracker:
    """Tells nobody."""

    def start(self, name: str, key: str, params: Mapping[str, Any]) -> None:
        """Nothing is opened."""

    def tell(self, record: TrialRecord) -> None:
        """Nothing is told."""

    def finish(self, records: Iterable[TrialRecord], ending: Ending) -> bool:
        """Nothing is kept."""
        return True
