"""One label a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medsweep.corpus import Document
from medsweep.stats.metrics import METRICS, score
from medsweep.tasks._base import TaskKind
from medsweep.tasks.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Classification:
    """A document belongs to exactly one of ``labels``."""

    labels: tuple[str, ...]
    metric: str = "macro_f1"
    kind: TaskKind = "classification"
    attributes: tuple[str, ...] = ()

    def gold(self, document: Document) -> str:
        """The label."""
        return document.label or ""

    def value(self, prediction: Prediction) -> str:
        """The predicted label, or ``""`` where the output did not parse."""
        return prediction.label or ""

    def score(self, gold: Sequence[str], pred: Sequence[str]) -> dict[str, float]:
        """Macro F1, micro F1 and accuracy."""
        return {m: score(self.kind, gold, pred, m) for m in METRICS[self.kind]}
