"""What a tracker is told. It never sees a document, nor the label of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from medsweep.sweep.items import Status
from medsweep.sweep.records import Record


class Tracker(Protocol):
    """Follows a sweep. The journal is the truth; a tracker is brought up to it, again and again."""

    def start(self, name: str, key: str, params: Mapping[str, Any]) -> None:
        """Open the sweep's own run, or take up the one it had under this key.

        Raises:
            ConfigError: nobody answers.
        """
        ...

    def tell(self, record: Record) -> None:
        """Bring a trial's run up to its record; what is known already is not told again."""
        ...

    def finish(
        self,
        records: Iterable[Record],
        summary: Mapping[str, float],
        files: Sequence[Path],
        status: Status,
    ) -> bool:
        """The sweep has ended: all trials, its headline numbers, and files or folders to keep.

        Returns:
            Whether all of it has been taken.
        """
        ...


class NullTracker:
    """Tells nobody."""

    def start(self, name: str, key: str, params: Mapping[str, Any]) -> None:
        """Nothing is opened."""

    def tell(self, record: Record) -> None:
        """Nothing is told."""

    def finish(
        self,
        records: Iterable[Record],
        summary: Mapping[str, float],
        files: Sequence[Path],
        status: Status,
    ) -> bool:
        """Nothing is kept."""
        return True
