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
from medsweep.models.precision import at_least_float
from medsweep.prompting.likelihood import likeliest_label
from medsweep.tasks import Task
from medsweep.training.encode import Window
from medsweep.training.methods._base import PredictionOutput
from medsweep.training.methods.prompted import PromptedMethod, PromptedWindow, prompted

Chances = NDArray[np.float64]
# By how much of itself the log-probability of a few tokens may change where only rounding does it:
# a wrong mask or wrong positions change SmolLM2's by 4 %.
ROUNDING = 0.01


class Likelihood(PromptedMethod):
    """Learns to write a label's words and reads how likely each label is; always answers.

    All labels stand behind one question, in one row, and none sees another: a document costs
    little more than its own tokens, and layers below the adapted ones can be cached as ever.
    """

    def __init__(self, base: Base, task: Task) -> None:
        super().__init__(base, task, as_json=False)
        self._answers = [self.answer(Document("", "", label=label)) for label in task.labels]
        self._room = max(map(len, self._answers))

    def answer_limit(self, prompt: int) -> int:  # noqa: ARG002 - labels have their lengths
        """Tokens of the longest label."""
        return self._room

    def text_room(self, free: int) -> int:
        """What the longest label leaves."""
        return free - self._room

    def _scored_windows(self, question: PromptedWindow) -> list[PromptedWindow]:
        """One row for all labels, or a row for each where the model cannot have them in one."""
        together = question.with_answers(self._answers)
        if self._branches and len(together.ids) <= sight(self._base.model.config):
            return [together]
        return [question.with_answers([answer]) for answer in self._answers]

    @cached_property
    def _branches(self) -> bool:
        """Whether the model takes masks and positions as they are given.

        Tried rather than looked up: the second answer must be as likely beside a longer one.
        """
        nothing = np.zeros(0, np.int32)
        question = PromptedWindow(0, (1, 2, 3), nothing, nothing, None, b"")
        long, short = tuple(range(3, 12)), (2, 1, 3)
        try:
            (alone,) = self.read(self._base.model, [question.with_answers([short])])
            (beside,) = self.read(self._base.model, [question.with_answers([long, short])])
        except Exception:  # whatever an architecture says to what it does not take
            return False
        return bool(abs(beside[1] - alone[0]) <= ROUNDING * abs(alone[0]))

    @torch.no_grad()
    def read(self, model: Any, windows: Sequence[Window]) -> list[Chances]:
        """Log-probability of each answer that a window has."""
        readings = []
        for window, logits in zip(windows, self.logits(model, windows), strict=True):
            answers = prompted(window).answers
            tokens = torch.tensor([t for a in answers for t in a], device=logits.device)
            chances = at_least_float(logits[: len(tokens)]).log_softmax(-1)
            each = torch.split(chances.gather(1, tokens[:, None])[:, 0], [len(a) for a in answers])
            readings.append(torch.stack([e.sum() for e in each]).double().cpu().numpy())
        return readings

    def decode(
        self,
        documents: Sequence[Document],
        windows: Sequence[Window],
        readings: Sequence[Chances],
    ) -> PredictionOutput:
        """The label that is likeliest in the mean over a document's questions."""
        labels = self._task.labels
        by_document: list[list[Chances]] = [[] for _ in documents]
        for window, reading in zip(windows, readings, strict=True):
            by_document[window.document].append(reading)
        return PredictionOutput(
            [
                likeliest_label(d.id, labels, np.concatenate(rows).reshape(-1, len(labels)))
                for d, rows in zip(documents, by_document, strict=True)
            ]
        )
