"""What a tracker is told. It never sees a document, nor the label of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from medsweep.sweep.items import Item, Status


class Tracker(Protocol):
    """Follows a sweep. Called from the driver only, in the order of events."""

    def start(self, name: str, params: Mapping[str, Any], run_id: str | None) -> str | None:
        """Open the sweep's own run, or take up the one it had; gives its id."""
        ...

    def open(self, item: Item) -> str | None:
        """Open a trial's run and give its id; the same trial never gets a second one.

        A trial without an id is not told of again.
        """
        ...

    def log(self, run_id: str, values: Mapping[str, Any]) -> None:
        """One point of a trial's learning curve."""
        ...

    def close(self, run_id: str, status: Status, error: str | None) -> None:
        """A trial has ended."""
        ...

    def finish(self, summary: Mapping[str, float], files: Sequence[Path], status: Status) -> None:
        """The sweep has ended: its headline numbers, and files or folders to keep."""
        ...


class NullTracker:
    """Tells nobody."""

    def start(self, name: str, params: Mapping[str, Any], run_id: str | None) -> str | None:
        """Nothing is opened."""
        return None

    def open(self, item: Item) -> str | None:
        """Nothing is opened."""
        return None

    def log(self, run_id: str, values: Mapping[str, Any]) -> None:
        """Nothing is logged."""

    def close(self, run_id: str, status: Status, error: str | None) -> None:
        """Nothing is closed."""

    def finish(self, summary: Mapping[str, float], files: Sequence[Path], status: Status) -> None:
        """Nothing is kept."""
