"""What a task promises: labels, gold and predictions as values of a table, and scores.

Imports no torch: the verdict of foreign predictions uses it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from medsweep.corpus import Document
from medsweep.corpus._base import Kind
from medsweep.tasks.prediction import Prediction

TaskKind = Kind
# How a model answers: by a head of its own, by the likeliest label, or in writing.
MethodName = Literal["head", "likelihood", "generate"]
# Gold of which there are too many values to compare the likelihoods of, by kind of task.
NO_LIKELIHOOD = {"multilabel": "sets of labels", "ner": "spans"}


class Task(Protocol):
    """A kind of question put to a document.

    Attributes:
        kind: its name in the sweep file.
        labels: the classes, the labels or the entity types, sorted.
        metric: the metric that search maximises and the verdict is given for.
        attributes: fields of mentions that are asked for (ner), sorted; else none.
    """

    @property
    def kind(self) -> TaskKind: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def metric(self) -> str: ...
    @property
    def attributes(self) -> tuple[str, ...]: ...

    def gold(self, document: Document) -> str:
        """The document's gold as ``predictions.parquet`` holds it.

        Classification: the label. Multi-label: JSON ``[label, …]``, sorted. NER: JSON
        ``[[start, end, type], …]``, sorted, without text; a discontinuous span is
        ``[start, end, type, [[s, e], …]]``. Where attributes are asked for, a last entry holds a
        digest of each value by field.
        """
        ...

    def value(self, prediction: Prediction) -> str:
        """The prediction in the same form; an unparsable one gives ``""``."""
        ...

    def score(self, gold: Sequence[str], pred: Sequence[str]) -> dict[str, float]:
        """Every metric of the task, by name."""
        ...
