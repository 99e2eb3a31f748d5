"""Typed spans."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from medsweep.corpus import Document, Span
from medsweep.stats.metrics import METRICS, score
from medsweep.tasks._base import TaskKind
from medsweep.training._base import Prediction


@dataclass(frozen=True, slots=True)
class Ner:
    """A document holds mentions of the types ``labels``; a match is exact in place and type."""

    labels: tuple[str, ...]
    metric: str = "span_f1"
    kind: TaskKind = "ner"

    def gold(self, document: Document) -> str:
        """The mentions as JSON."""
        return dump_spans(document.spans or ())

    def value(self, prediction: Prediction) -> str:
        """The predicted mentions as JSON, or ``""`` where the output did not parse."""
        return "" if prediction.spans is None else dump_spans(prediction.spans)

    def score(self, gold: Sequence[str], pred: Sequence[str]) -> dict[str, float]:
        """Strict span F1 over all mentions, and averaged over types."""
        return {m: score(self.kind, gold, pred, m) for m in METRICS[self.kind]}


def dump_spans(spans: Iterable[Span]) -> str:
    """JSON ``[[start, end, type], …]``, sorted; fragments follow where there are any."""
    values: list[list[Any]] = []
    for span in sorted(set(spans)):
        fragments = [[list(f) for f in span.fragments]] if span.fragments else []
        values.append([span.start, span.end, span.type, *fragments])
    return json.dumps(values, ensure_ascii=False)
