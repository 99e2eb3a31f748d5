"""A decoder that is shown examples first."""

from __future__ import annotations

from collections.abc import Sequence

from medsweep.arms._base import Count, Tokens
from medsweep.arms.selection import ExampleSelector, Selection, example_selector
from medsweep.arms.zero_shot import ZeroShot, ZeroShotOptions
from medsweep.corpus import Document
from medsweep.models import ModelFolder
from medsweep.tasks import Task


class FewShotOptions(ZeroShotOptions):
    """A prompted local decoder that is shown examples."""

    k: Count = 8
    """Examples a prompt."""
    selection: Selection = "random"
    """random takes the same ones, over all labels or types in turn, for every document; bm25 the
    most similar training documents of each."""
    example_length: Tokens = 128
    """Tokens of an example."""


class FewShot(ZeroShot):
    """As zero-shot, with ``k`` training documents and their gold before the question."""

    trains = True
    _name = "few_shot"

    def __init__(self, task: Task, options: FewShotOptions, model: ModelFolder) -> None:
        super().__init__(task, options, model)
        self._few_shot = options

    def _selector(self, train: Sequence[Document], seed: int) -> ExampleSelector:
        return example_selector(train, self._few_shot.k, self._few_shot.selection, seed)

    def _example_text(self, example: Document) -> str:
        return self._decoder.clip(example.text, self._few_shot.example_length)

    def _example_tokens(self) -> int:
        # A label, or the mentions of a shortened text, take about half of it again.
        return self._few_shot.k * (self._few_shot.example_length * 3 // 2 + 32)
