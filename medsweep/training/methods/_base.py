"""What a method promises: windows to learn from, a loss, and windows read back as predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from torch import Tensor

from medsweep.corpus import Document
from medsweep.tasks.prediction import Prediction
from medsweep.training.encode import Window

Reading = TypeVar("Reading")


@dataclass(frozen=True, slots=True)
class PredictionOutput:
    """Predictions, and what is to be known of the outputs that they were read from.

    Attributes:
        predictions: of documents, in order.
        metrics: by name; scored beside the task's own.
    """

    predictions: list[Prediction]
    metrics: Mapping[str, float] = field(default_factory=dict)


class Method(Protocol[Reading]):
    """One way to get an answer out of a model. Holds no weights and nothing of a trial.

    An engine decides which windows go through which adapters together, and asks here what to
    compute. ``model`` is always a base with one adapter or several in its modules: the first axis
    of all that it is given and gives is the windows'.

    Attributes:
        peft_type: PEFT's name for the kind of model.
        classes: outputs of a fresh head; what the loss weighs apart. 0 where nothing is classified.
        by_token: whether answers are written token by token: by all layers, of which each token
            needs keys and values, and for one adapter at a time, because rows end one by one.
    """

    @property
    def peft_type(self) -> Literal["SEQ_CLS", "TOKEN_CLS", "CAUSAL_LM"]: ...
    @property
    def classes(self) -> int: ...
    @property
    def by_token(self) -> bool: ...

    def encode(
        self, documents: Sequence[Document], max_length: int, *, for_training: bool
    ) -> list[Window]:
        """The windows of ``documents``, in order; those to learn from have a target and answer.

        A document longer than ``max_length`` tokens becomes several overlapping windows.

        Raises:
            TrialError: the model has no room for a document beside what is asked.
        """
        ...

    def logits(self, model: Any, windows: Sequence[Window]) -> Tensor:
        """What the loss is computed from, one batch: (windows, …, outputs)."""
        ...

    def loss(
        self, logits: Tensor, windows: Sequence[Window], weights: Tensor, count: int
    ) -> Tensor:
        """A batch's share of its step's loss.

        Args:
            logits: of these windows.
            windows: any part of the step's.
            weights: of the classes; a document counts as its class does.
            count: :meth:`count` of the whole step.
        """
        ...

    def count(self, windows: Sequence[Window]) -> int:
        """What a step's loss is the mean over."""
        ...

    def read(self, model: Any, windows: Sequence[Window]) -> list[Reading]:
        """What the model says of each window of one batch."""
        ...

    def decode(
        self,
        documents: Sequence[Document],
        windows: Sequence[Window],
        readings: Sequence[Reading],
    ) -> PredictionOutput:
        """Predictions for documents from what was read of their windows."""
        ...
