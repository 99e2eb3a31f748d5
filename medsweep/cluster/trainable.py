"""A Tune trial: a process that imports no torch and asks a host to do the work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayActorError, RayTaskError

from medsweep.record.folder import TrialFolder, write_whole
from medsweep.record.trial import Trial
from medsweep.training.recipe import TrialError

ATTEMPTS = 3


class TuneTrial(tune.Trainable):
    """One Tune iteration is one evaluation on dev."""

    def setup(self, config: dict[str, Any], pool: Any = None, root: str = "") -> None:
        """Say which trial this is; a host is asked for at the first step."""
        if pool is not None:
            self._pool, self._root = pool, Path(root)
        self._trial = Trial.from_dict(config)
        self._folder = TrialFolder(self._root, self._trial.name)
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
            ray.get(self._pool.release.remote(self._trial))
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
        trial, folder = self._trial, self._folder
        if trial.phase == "arm":
            if not folder.predictions.exists():
                self._take_seat()
                rows, on_dev = ray.get(self._host.arm.remote(trial))
                folder.set_curve(on_dev)
                folder.add_predictions(rows)
            return {"evaluations": folder.curve(), "done": True}

        curve = folder.curve()
        if not (curve and curve[-1]["finished"]) and not trial.adopt:
            self._take_seat(attach=True)
            values, state = ray.get(self._host.advance.remote(trial))
            folder.add(values, state)
            curve = folder.curve()
        finished = bool(trial.adopt) or curve[-1]["finished"]
        if finished and trial.phase == "confirm" and not folder.predictions.exists():
            self._take_seat(attach=True)
            rows, inference = ray.get(self._host.judge.remote(trial, folder.adapter))
            write_whole(folder.inference, json.dumps(inference).encode())
            folder.add_predictions(rows)
        return {"evaluations": curve, "done": finished}

    def _take_seat(self, attach: bool = False) -> None:
        if self._host is not None:
            return
        me = ray.get_runtime_context().current_actor
        self._seat, self._host = ray.get(self._pool.acquire.remote(self._trial, me))
        if attach:
            adopt = self._trial.adopt
            source = TrialFolder(self._root, adopt) if adopt else self._folder
            state, curve = source.state(), source.curve()
            if state is None and (adopt or (curve and curve[-1]["finished"])):
                # A fresh slot in its place would be judged untrained.
                raise TrialError(f"the trained state of {adopt or self._trial.name} is gone")
            ray.get(self._host.attach.remote(self._trial, state))

    # Tune's own checkpoints are not used; the trial's folder is the checkpoint.
    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing to do: see :class:`TrialFolder`."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing to do: see :class:`TrialFolder`."""


def _failed(error: str) -> dict[str, Any]:
    return {"evaluations": [], "error": error, "done": True}
