"""The likeliest label: its words, token by token, behind the question."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medsweep.corpus import Document
from medsweep.models.attention import sight
from medsweep.models.load import Base
from medsweep.tasks import Task
from medsweep.training._base import Prediction
from medsweep.training.encode import Window
from medsweep.training.methods._base import Found
from medsweep.training.methods.asking import Asked, Asking, as_asked
from medsweep.training.precision import at_least_float

Chances = NDArray[np.float64]
# By how much of itself the log-probability of a few tokens may change where only rounding does it:
# a wrong mask or wrong positions change SmolLM2's by 4 %.
ROUNDING = 0.01


class Likelihood(Asking):
    """Learns to write a label's words and reads how likely each label is; always answers.

    All labels stand behind one question, in one row, and none sees another: a document costs
    little more than its own tokens, and layers below the adapted ones can be cached as ever.
    """

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

    def _to_read(self, question: Asked) -> list[Asked]:
        """One row for all labels, or a row for each where the model cannot have them in one."""
        together = question.followed_by(self._answers)
        if self._branches and len(together.ids) <= sight(self._base.model.config):
            return [together]
        return [question.followed_by([answer]) for answer in self._answers]

    @cached_property
    def _branches(self) -> bool:
        """Whether the model takes masks and positions as they are given.

        Tried rather than looked up: the second answer must be as likely beside a longer one.
        """
        nothing = np.zeros(0, np.int32)
        question = Asked(0, (1, 2, 3), nothing, nothing, None, b"")
        long, short = tuple(range(3, 12)), (2, 1, 3)
        try:
            (alone,) = self.read(self._base.model, [question.followed_by([short])])
            (beside,) = self.read(self._base.model, [question.followed_by([long, short])])
        except Exception:  # whatever an architecture says to what it does not take
            return False
        return bool(abs(beside[1] - alone[0]) <= ROUNDING * abs(alone[0]))

    @torch.no_grad()
    def read(self, model: Any, windows: Sequence[Window]) -> list[Chances]:
        """Log-probability of each answer that a window has."""
        found = []
        for window, logits in zip(windows, self.logits(model, windows), strict=True):
            answers = as_asked(window).answers
            tokens = torch.tensor([t for a in answers for t in a], device=logits.device)
            chances = at_least_float(logits[: len(tokens)]).log_softmax(-1)
            each = torch.split(chances.gather(1, tokens[:, None])[:, 0], [len(a) for a in answers])
            found.append(torch.stack([e.sum() for e in each]).double().cpu().numpy())
        return found

    def decode(
        self,
        documents: Sequence[Document],
        windows: Sequence[Window],
        readings: Sequence[Chances],
    ) -> Found:
        """The label that is likeliest in the mean over a document's questions."""
        labels, predictions = self._task.labels, []
        by_document: list[list[Chances]] = [[] for _ in documents]
        for window, reading in zip(windows, readings, strict=True):
            by_document[window.document].append(reading)
        for document, mine in zip(documents, by_document, strict=True):
            mean = np.concatenate(mine).reshape(-1, len(labels)).mean(axis=0)
            chances = np.exp(mean - mean.max())
            scores = dict(zip(labels, (chances / chances.sum()).tolist(), strict=True))
            predictions.append(
                Prediction(document.id, label=labels[int(mean.argmax())], scores=scores)
            )
        return Found(predictions)
