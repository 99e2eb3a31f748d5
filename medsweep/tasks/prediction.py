"""What a model says of one document, whatever made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from medsweep.corpus import Span


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one document.

    Attributes:
        doc_id: the document.
        label: classification: the predicted label; None where the output did not parse.
        spans: NER: predicted spans, sorted.
        labels: multi-label: predicted labels, sorted; None where the output did not parse.
        scores: probability by label (not for NER); may be empty.
        salvaged: whether an answer was not written as asked, and read all the same.
        cut: whether an answer ended at its limit of tokens.
    """

    doc_id: str
    label: str | None = field(default=None, repr=False)
    spans: tuple[Span, ...] | None = field(default=None, repr=False)
    labels: tuple[str, ...] | None = field(default=None, repr=False)
    scores: Mapping[str, float] = field(default_factory=dict, repr=False)
    salvaged: bool = False
    cut: bool = False
