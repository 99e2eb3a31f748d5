"""A classification head: over the document, or over each token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from medsweep.corpus import Document
from medsweep.models.load import Base
from medsweep.tasks import Task, head_labels
from medsweep.training.encode import Encoder, Window
from medsweep.training.forward import batch_loss, targets_in
from medsweep.training.methods._base import PredictionOutput
from medsweep.training.prefix import pad

Logits = NDArray[np.float32]


class Head:
    """A class or labels a window, or an IOB2 tag a token, by a layer trained with the adapter."""

    by_token = False

    def __init__(self, base: Base, task: Task) -> None:
        self._base = base
        labels = head_labels(task)
        self.classes = len(labels)
        self.peft_type: Literal["SEQ_CLS", "TOKEN_CLS"] = (
            "TOKEN_CLS" if task.kind == "ner" else "SEQ_CLS"
        )
        self._encoder = Encoder(base.tokenizer, task, labels, base.longest)

    def encode(
        self,
        documents: Sequence[Document],
        max_length: int,
        *,
        for_training: bool,  # noqa: ARG002 - what is learnt is no part of what is read
    ) -> list[Window]:
        """Windows with the class, the labels or the tags as target, where they have them."""
        return self._encoder.encode(documents, max_length)

    def logits(self, model: Any, windows: Sequence[Window]) -> Tensor:
        """(windows, classes or labels), or (windows, longest, tags)."""
        logits: Tensor = model(**pad(windows, self._base)).logits
        return logits

    def loss(
        self, logits: Tensor, windows: Sequence[Window], weights: Tensor, count: int
    ) -> Tensor:
        """Cross-entropy over windows, their labels, or tagged tokens."""
        return batch_loss(logits, windows, weights, count)

    def count(self, windows: Sequence[Window]) -> int:
        """Windows, labels of windows, or tagged tokens."""
        return targets_in(windows)

    def read(self, model: Any, windows: Sequence[Window]) -> list[Logits]:
        """Logits of each window, without padding."""
        logits = self.logits(model, windows).float().cpu().numpy()
        return [
            own if own.ndim == 1 else own[: len(window.ids)]
            for window, own in zip(windows, logits, strict=True)
        ]

    def decode(
        self,
        documents: Sequence[Document],
        windows: Sequence[Window],
        readings: Sequence[Logits],
    ) -> PredictionOutput:
        """The likeliest class or labels over a document's windows; or mentions from tags."""
        return PredictionOutput(self._encoder.decode(documents, windows, readings))
