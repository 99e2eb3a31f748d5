"""Words with offsets, and IOB2 tags for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from medsweep.corpus import Document, Span

# Letters (with the accents that follow them) and digits apart, and every other sign alone:
# mentions begin and end inside of what white space separates ("20mg", "HLA-B27-positive").
_WORD = re.compile(r"(?:[^\W\d_][\u0300-\u036f]*)+|\d+|[^\w\s]|_")


def words_of(text: str) -> list[tuple[int, int]]:
    """(start, end) of each word."""
    return [m.span() for m in _WORD.finditer(text)]


def untaggable(documents: Iterable[Document]) -> int:
    """How many mentions no tags of words can say: nested, in pieces, ending within a word."""
    lost = 0
    for document in documents:
        words, gold = words_of(document.text), document.spans or ()
        tagged = {(s.start, s.end, s.type) for s in spans_of(words, tags_of(words, gold))}
        lost += sum(bool(s.fragments) or (s.start, s.end, s.type) not in tagged for s in gold)
    return lost


def tags_of(words: Sequence[tuple[int, int]], spans: Iterable[Span]) -> list[str]:
    """IOB2 tags; where mentions overlap, the longer one is kept."""
    tags = ["O"] * len(words)
    for span in sorted(spans, key=lambda s: s.end - s.start):
        inside = [i for i, (a, b) in enumerate(words) if a < span.end and b > span.start]
        for place, i in enumerate(inside):
            tags[i] = f"{'I' if place else 'B'}-{span.type}"
    return tags


def spans_of(words: Sequence[tuple[int, int]], tags: Sequence[str]) -> tuple[Span, ...]:
    """Mentions; an I without its B opens one, as seqeval reads it."""
    spans: list[Span] = []
    previous = "O"
    for (start, end), tag in zip(words, tags, strict=True):
        prefix, _, kind = tag.partition("-")
        if prefix == "I" and previous != "O" and previous.partition("-")[2] == kind:
            spans[-1] = Span(spans[-1].start, end, kind)
        elif prefix != "O":
            spans.append(Span(start, end, kind))
        previous = tag
    return tuple(spans)
