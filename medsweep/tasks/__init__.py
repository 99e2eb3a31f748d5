"""Tasks: what is asked of a document, as values of a table and as scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from medsweep.corpus import Document
from medsweep.tasks._base import MethodName, Task, TaskKind
from medsweep.tasks.classification import Classification
from medsweep.tasks.multilabel import Multilabel
from medsweep.tasks.ner import Ner

__all__ = [
    "Classification",
    "MethodName",
    "Multilabel",
    "Ner",
    "Task",
    "TaskKind",
    "head_labels",
    "labels_of",
    "make_task",
]


def make_task(
    kind: TaskKind, labels: Sequence[str], metric: str, attributes: Sequence[str] = ()
) -> Task:
    """The task of a sweep.

    Args:
        kind: as the sweep file calls it.
        labels: classes, labels or entity types.
        metric: that decides.
        attributes: fields of mentions that are asked for.
    """
    names = tuple(sorted(labels))
    if kind == "ner":
        return Ner(names, metric, attributes=tuple(sorted(attributes)))
    return Classification(names, metric) if kind == "classification" else Multilabel(names, metric)


def head_labels(task: Task) -> tuple[str, ...]:
    """What a head or a linear model tells apart: the classes or labels, or IOB2 tags."""
    if task.kind == "ner":
        return ("O", *(f"{prefix}-{label}" for label in task.labels for prefix in "BI"))
    return task.labels


def labels_of(kind: TaskKind, documents: Iterable[Document]) -> tuple[str, ...]:
    """Classes, labels or entity types that occur in ``documents``, sorted."""
    if kind == "classification":
        return tuple(sorted({d.label for d in documents if d.label is not None}))
    if kind == "multilabel":
        return tuple(sorted({name for d in documents for name in d.labels or ()}))
    return tuple(sorted({s.type for d in documents for s in d.spans or ()}))
