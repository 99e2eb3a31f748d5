"""The files of one trial.

What a trial needs to go on lies in its own folder, written before the result is reported:
``curve.json`` (its learning curve) and ``state`` (adapter, optimiser, counters). The
same files serve a restarted process, a replaced host and a resumed sweep.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast


class TrialFolder:
    """The files of one trial under ``DIR/state/trials/<name>/``."""

    def __init__(self, root: Path, name: str) -> None:
        self.path = root / name
        self.adapter = self.path / "adapter"
        self.predictions = self.path / "predictions.json"
        self.inference = self.path / "inference.json"
        self._state = self.path / "state"
        self._curve = self.path / "curve.json"
        # As it was called until 0.1.0.
        self._old_curve = self.path / "evaluations.jsonl"

    def state(self) -> bytes | None:
        """The last saved state, or None for a fresh trial."""
        return self._state.read_bytes() if self._state.exists() else None

    def curve(self) -> list[dict[str, Any]]:
        """The learning curve so far, one mapping an evaluation; a point on dev of an arm."""
        for path in (self._curve, self._old_curve):
            if path.exists():
                return cast("list[dict[str, Any]]", json.loads(path.read_text()))
        return []

    def add(self, values: dict[str, Any], state: bytes) -> None:
        """Save a point and the state behind it.

        The point first: if the process dies in between, the point is computed again from the
        older state, comes out the same, and replaces itself.
        """
        curve = [v for v in self.curve() if v["iteration"] < values["iteration"]]
        self.set_curve([*curve, values])
        write_whole(self._state, state)

    def set_curve(self, curve: list[dict[str, Any]]) -> None:
        """Save all points."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self._curve, json.dumps(curve).encode())

    def forget_state(self) -> None:
        """Remove what is only needed to train on."""
        self._state.unlink(missing_ok=True)

    def add_predictions(self, rows: list[dict[str, Any]]) -> None:
        """Save test predictions: the last thing a confirm or arm trial does."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.predictions, json.dumps(rows).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a whole file or nothing."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
