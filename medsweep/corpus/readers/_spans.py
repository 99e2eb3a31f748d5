"""What readers of annotations do with the spans they found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from medsweep.corpus._base import Span


def tidy(spans: Iterable[Span], changes: Counter[str]) -> tuple[Span, ...]:
    """The spans sorted; empty ones are left out and equal ones joined, both counted."""
    kept = Counter(spans)
    for span in [s for s in kept if s.start == s.end]:
        changes["spans without a character left out"] += kept.pop(span)
    if repeated := kept.total() - len(kept):
        changes["spans with the same place and type joined"] += repeated
    return tuple(sorted(kept))
