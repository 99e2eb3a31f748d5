"""The likeliest label: its words, token by token, behind the question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsweep.arms.decoder import Decoder
from medsweep.corpus import Document
from medsweep.models.load import Base
from medsweep.tasks import Task
from medsweep.training._base import Prediction
from medsweep.training.encode import Window
from medsweep.training.methods._base import Found
from medsweep.training.methods.asking import Asking

Chances = NDArray[np.float64]


class Likelihood(Asking):
    """Learns to write a label's words and reads how likely each label is; always answers."""

    def __init__(self, base: Base, task: Task) -> None:
        super().__init__(base, task, as_json=False)
        self._answers = [self.answer(Document("", "", label=label)) for label in task.labels]
        self._room = max(map(len, self._answers))

    def limit(self, asked: int) -> int:  # noqa: ARG002 - labels have their lengths
        """Tokens of the longest label."""
        return self._room

    def text_within(self, free: int) -> int:
        """What the longest label leaves."""
        return free - self._room

    def read(self, model: Any, windows: Sequence[Window]) -> list[Chances]:
        """Log-probability of each label; a window's question is computed once for all of them."""
        asked = [w.ids for w in windows]
        return list(Decoder.around(model, self._base.tokenizer).totals(asked, self._answers))

    def decode(
        self,
        documents: Sequence[Document],
        windows: Sequence[Window],
        readings: Sequence[Chances],
    ) -> Found:
        """The label that is likeliest in the mean over a document's windows."""
        labels, predictions = self._task.labels, []
        by_document: list[list[Chances]] = [[] for _ in documents]
        for window, reading in zip(windows, readings, strict=True):
            by_document[window.document].append(reading)
        for document, mine in zip(documents, by_document, strict=True):
            mean = np.mean(mine, axis=0)
            chances = np.exp(mean - mean.max())
            scores = dict(zip(labels, (chances / chances.sum()).tolist(), strict=True))
            predictions.append(
                Prediction(document.id, label=labels[int(mean.argmax())], scores=scores)
            )
        return Found(predictions)
