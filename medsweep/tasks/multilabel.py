"""Any number of labels a document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medsweep.corpus import Document
from medsweep.stats.metrics import METRICS, score
from medsweep.tasks._base import TaskKind
from medsweep.tasks.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Multilabel:
    """Each of ``labels`` applies to a document or does not; perhaps none does."""

    labels: tuple[str, ...]
    metric: str = "micro_f1"
    kind: TaskKind = "multilabel"
    attributes: tuple[str, ...] = ()

    def gold(self, document: Document) -> str:
        """The labels as JSON."""
        return dump_labels(document.labels or ())

    def value(self, prediction: Prediction) -> str:
        """The predicted labels as JSON, or ``""`` where the output did not parse."""
        return "" if prediction.labels is None else dump_labels(prediction.labels)

    def score(self, gold: Sequence[str], pred: Sequence[str]) -> dict[str, float]:
        """Micro F1, macro F1 and exact match."""
        return {m: score(self.kind, gold, pred, m) for m in METRICS[self.kind]}


def likely_labels(doc_id: str, labels: Sequence[str], chances: NDArray[np.float64]) -> Prediction:
    """The labels that apply with a probability of at least one half."""
    return Prediction(
        doc_id,
        labels=tuple(n for n, p in zip(labels, chances.tolist(), strict=True) if p >= 0.5),
        scores=dict(zip(labels, chances.tolist(), strict=True)),
    )


def dump_labels(labels: Iterable[str]) -> str:
    """JSON ``[label, …]``, sorted."""
    return json.dumps(sorted(set(labels)), ensure_ascii=False)
