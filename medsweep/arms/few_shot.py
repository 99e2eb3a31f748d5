"""A decoder that is shown examples first."""

from __future__ import annotations

from collections.abc import Sequence

from medsweep.arms.options import FewShotOptions
from medsweep.arms.selection import choose
from medsweep.arms.zero_shot import Examples, ZeroShot
from medsweep.corpus import Document
from medsweep.models import ModelFolder
from medsweep.tasks import Task


class FewShot(ZeroShot):
    """As zero-shot, with ``k`` training documents and their gold before the question."""

    trains = True
    _name = "few_shot"

    def __init__(self, task: Task, model: ModelFolder, options: FewShotOptions) -> None:
        super().__init__(task, model, options)
        self._few = options

    def _examples(self, train: Sequence[Document], seed: int) -> Examples:
        return choose(train, self._few.k, self._few.selection, seed)

    def _shown(self, example: Document) -> str:
        return self._decoder.clip(example.text, self._few.example_length)

    def _shown_tokens(self) -> int:
        # A label, or the mentions of a shortened text, take about half of it again.
        return self._few.k * (self._few.example_length * 3 // 2 + 32)
