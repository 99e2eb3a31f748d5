"""What an engine that trains trials promises."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from medsweep.corpus import Document
from medsweep.tasks.prediction import Prediction
from medsweep.training.recipe import Evaluation, Recipe


class Engine(Protocol):
    """Trains adapters on one frozen base model and one device.

    An engine is built from a loaded base and a task and then owns *slots*, one a trial,
    addressed by the trial's name. Engines are used from one thread at a time, except that
    an engine that packs may serve several ``advance`` calls at once through its own lock.

    A trial's result must not depend on which other slots exist, beyond float error.

    Attributes:
        predicting: compute seconds of the last :meth:`predict`, by trial; waiting not counted.
    """

    predicting: dict[str, float]

    def attach(
        self,
        trial: str,
        recipe: Recipe,
        train: Sequence[Document],
        dev: Sequence[Document],
        saved: bytes | None = None,
    ) -> None:
        """Open a slot, fresh or from what :meth:`state` gave.

        Raises:
            TrialError: the recipe does not fit the base.
        """
        ...

    def advance(self, trial: str) -> Evaluation:
        """Train to the next evaluation, score dev, and return that point.

        Raises:
            TrialError: the loss is not finite.
        """
        ...

    def state(self, trial: str) -> bytes:
        """Everything needed to go on elsewhere: adapter, best adapter, optimiser, counters.

        Serialised by safetensors plus JSON, never by pickle. Going on from it gives the same
        losses as never having stopped.
        """
        ...

    def predict(self, trial: str, documents: Sequence[Document]) -> list[Prediction]:
        """Predict with the best adapter so far, in the order of ``documents``."""
        ...

    def save(self, trial: str, folder: Path) -> None:
        """Write the best adapter so far as a plain PEFT folder."""
        ...

    def detach(self, trial: str) -> None:
        """Close a trial's slot and free what it held; unknown trials are ignored."""
        ...
