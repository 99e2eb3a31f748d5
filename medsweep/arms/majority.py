"""The floor: what one scores without reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from medsweep.arms._base import ArmOptions
from medsweep.corpus import Document
from medsweep.tasks import Task
from medsweep.tasks.multilabel import likely_labels
from medsweep.tasks.prediction import Prediction


class Majority:
    """Classification: the most frequent training label. NER: no mention at all.

    Multi-label: the labels that at least half of the training documents have.
    """

    trains = True

    def __init__(self, task: Task, _options: ArmOptions) -> None:
        self._task = task
        # Nothing of the training documents enters an answer of no spans.
        self.trains = task.kind != "ner"

    def predict(
        self,
        train: Sequence[Document],
        test: Sequence[Document],
        *,
        seed: int,  # noqa: ARG002 - nothing here is random
    ) -> list[Prediction]:
        """The same for every document; of equally frequent labels the first by name."""
        if self._task.kind == "ner":
            return [Prediction(d.id, spans=()) for d in test]
        if self._task.kind == "multilabel":
            gold = [d.labels for d in train if d.labels is not None]
            rows = [[name in labels for name in self._task.labels] for labels in gold]
            shares = np.mean(rows or [[False] * len(self._task.labels)], axis=0)
            return [likely_labels(d.id, self._task.labels, shares) for d in test]
        counts = Counter(d.label for d in train if d.label is not None)
        total = counts.total()
        if not total:
            return [Prediction(d.id, label=self._task.labels[0]) for d in test]
        label = min(counts, key=lambda name: (-counts[name], name))
        scores = {name: counts[name] / total for name in self._task.labels}
        return [Prediction(d.id, label=label, scores=scores) for d in test]
