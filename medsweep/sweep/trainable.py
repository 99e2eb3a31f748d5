"""A Tune trial: a process that imports no torch and asks a host to do the work.

What a trial needs to go on lies in its own folder, written before the result is reported:
``evaluations.jsonl`` (its learning curve) and ``state`` (adapter, optimiser, counters). The
same files serve a restarted process, a replaced host and a resumed sweep.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

import ray
from ray import tune
from ray.exceptions import RayActorError, RayTaskError

from medsweep.sweep.items import Item
from medsweep.training._base import TrialError

ATTEMPTS = 3


class TrialFolder:
    """The files of one trial under ``DIR/state/trials/<name>/``."""

    def __init__(self, root: Path, name: str) -> None:
        self.path = root / name
        self.adapter = self.path / "adapter"
        self.predictions = self.path / "predictions.json"
        self.inference = self.path / "inference.json"
        self._state = self.path / "state"
        self._curve = self.path / "evaluations.jsonl"

    def state(self) -> bytes | None:
        """The last saved state, or None for a fresh trial."""
        return self._state.read_bytes() if self._state.exists() else None

    def curve(self) -> list[dict[str, Any]]:
        """The learning curve so far, one mapping an evaluation; a point on dev of an arm."""
        if not self._curve.exists():
            return []
        return cast("list[dict[str, Any]]", json.loads(self._curve.read_text()))

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


class Trial(tune.Trainable):
    """One Tune iteration is one evaluation on dev."""

    def setup(self, config: dict[str, Any], pool: Any = None, root: str = "") -> None:
        """Say which trial this is; a host is asked for at the first step."""
        if pool is not None:
            self._pool, self._root = pool, Path(root)
        self._item = Item.from_dict(config)
        self._folder = TrialFolder(self._root, self._item.name)
        self._host: Any = None
        self._seat = -1

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Serve the next trial from the same process."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """Give the slot back."""
        if self._host is not None:
            ray.get(self._pool.release.remote(self._item))
            self._host = None

    def step(self) -> dict[str, Any]:
        """Go on to the next evaluation. A trial that cannot is reported, never raised:
        an error's message, which Tune would write to disk, may hold text."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._next()
            except RayActorError:
                # The host died: its trials go on elsewhere from their last state.
                lost, self._host = self._host, None
                if lost is not None:
                    ray.get(self._pool.replace.remote(self._seat, lost))
                if attempt == ATTEMPTS:
                    return _failed("its host died again and again")
            except TrialError as error:
                return _failed(str(error))
            except RayTaskError as error:
                cause = error.cause
                return _failed(
                    str(cause) if isinstance(cause, TrialError) else type(cause).__name__
                )
        raise AssertionError("unreachable")

    def _next(self) -> dict[str, Any]:
        item, folder = self._item, self._folder
        if item.phase == "arm":
            if not folder.predictions.exists():
                self._take_seat()
                rows, on_dev = ray.get(self._host.arm.remote(item))
                folder.set_curve(on_dev)
                folder.add_predictions(rows)
            return {"evaluations": folder.curve(), "done": True}

        curve = folder.curve()
        if not (curve and curve[-1]["finished"]) and not item.adopt:
            self._take_seat(attach=True)
            values, state = ray.get(self._host.advance.remote(item))
            folder.add(values, state)
            curve = folder.curve()
        finished = bool(item.adopt) or curve[-1]["finished"]
        if finished and item.phase == "confirm" and not folder.predictions.exists():
            self._take_seat(attach=True)
            rows, inference = ray.get(self._host.judge.remote(item, folder.adapter))
            write_whole(folder.inference, json.dumps(inference).encode())
            folder.add_predictions(rows)
        return {"evaluations": curve, "done": finished}

    def _take_seat(self, attach: bool = False) -> None:
        if self._host is not None:
            return
        me = ray.get_runtime_context().current_actor
        self._seat, self._host = ray.get(self._pool.acquire.remote(self._item, me))
        if attach:
            adopt = self._item.adopt
            source = TrialFolder(self._root, adopt) if adopt else self._folder
            state, curve = source.state(), source.curve()
            if state is None and (adopt or (curve and curve[-1]["finished"])):
                # A fresh slot in its place would be judged untrained.
                raise TrialError(f"the trained state of {adopt or self._item.name} is gone")
            ray.get(self._host.attach.remote(self._item, state))

    # Tune's own checkpoints are not used; the trial's folder is the checkpoint.
    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing to do: see :class:`TrialFolder`."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing to do: see :class:`TrialFolder`."""


def _failed(error: str) -> dict[str, Any]:
    return {"evaluations": [], "error": error, "done": True}
