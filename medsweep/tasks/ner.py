"""Typed spans."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from medsweep.corpus import Document, Span
from medsweep.stats.metrics import METRICS, score
from medsweep.stats.values import label_text
from medsweep.tasks._base import TaskKind
from medsweep.tasks.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Ner:
    """A document holds mentions of the types ``labels``; a match is exact in place and type.

    ``attributes`` are fields that mentions may have a value in, each to be matched exactly.
    """

    labels: tuple[str, ...]
    metric: str = "span_f1"
    kind: TaskKind = "ner"
    attributes: tuple[str, ...] = ()

    def gold(self, document: Document) -> str:
        """The mentions as JSON."""
        return dump_spans(document.spans or (), self.attributes)

    def value(self, prediction: Prediction) -> str:
        """The predicted mentions as JSON, or ``""`` where the output did not parse."""
        return "" if prediction.spans is None else dump_spans(prediction.spans, self.attributes)

    def score(self, gold: Sequence[str], pred: Sequence[str]) -> dict[str, float]:
        """Strict span F1 over all mentions, averaged over types, and F1 of attributes asked for."""
        metrics = [m for m in METRICS[self.kind] if m != "attribute_f1" or self.attributes]
        return {m: score(self.kind, gold, pred, m) for m in metrics}


def dump_spans(spans: Iterable[Span], attributes: Collection[str] = ()) -> str:
    """JSON ``[[start, end, type], …]``, sorted; fragments and ``attributes`` follow if any.

    Values of attributes may be words of a document, which no table may hold: digests stand in for
    them, that are equal where they are. They are no secret to who can guess the words.
    """
    values: list[list[Any]] = []
    for span in sorted(set(spans)):
        fragments = [[list(f) for f in span.fragments]] if span.fragments else []
        fields = {f: _digest(v) for f, v in span.attributes if f in attributes}
        value = [span.start, span.end, span.type, *fragments, *([fields] if fields else [])]
        if value not in values[-1:]:
            values.append(value)
    return json.dumps(values, ensure_ascii=False)


def _digest(value: str) -> str:
    written = label_text(value).encode("utf-8", "surrogatepass")
    return hashlib.sha256(written).hexdigest()[:16]
