"""What is done with every document that was read, whatever its format."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from medsweep.corpus._base import Changes, Document, Span

BOM = "\ufeff"
MARKS = "byte order marks left out"
EMPTY = "spans without a character left out"
BLANK = "mentions left out: white space only"
EDGES = "white space at the edges of mentions left out"
PIECES = "mentions in pieces over white space joined"
EQUAL = "spans with the same place and type joined"

_MARK = re.compile(rf"[\s{BOM}]*{BOM}")

Place = tuple[int, int]


def tidy(document: Document, changes: Changes) -> Document:
    """The document with mentions that a model can give back, for predictions are trimmed, too.

    A mention begins and ends in something visible, as do its pieces; pieces with only white space
    between are one, such as brat writes where a line ends within a mention. Mentions of nothing
    visible are left out, equal ones joined, and the rest sorted. A byte order mark at the text's
    beginning is left out, and the mentions moved. All of this counts in ``changes``.
    """
    mark = _MARK.match(document.text)
    cut = mark.end() if mark else 0
    if cut:
        changes[MARKS] += 1
    spans = None
    if document.spans is not None:
        # All that is cut off is white space, so that no mention begins in it.
        visible = (_visible(span, document.text, changes) for span in document.spans)
        kept = Counter(span.moved(-cut) for span in visible if span is not None)
        changes.count_mentions(EQUAL, kept.total() - len(kept))
        spans = tuple(sorted(kept))
    return replace(document, text=document.text[cut:], spans=spans)


def _visible(span: Span, text: str, changes: Changes) -> Span | None:
    pieces = span.fragments or ((span.start, span.end),)
    if all(start == end for start, end in pieces):
        changes.count_mentions(EMPTY)
        return None
    trimmed = tuple(p for p in (_trimmed(text, *piece) for piece in pieces) if p[0] < p[1])
    if not trimmed:
        changes.count_mentions(BLANK)
        return None
    if trimmed != pieces:
        changes.count_mentions(EDGES)
    joined = _joined(text, trimmed)
    if len(joined) < len(trimmed):
        changes.count_mentions(PIECES)
    fragments = joined if len(joined) > 1 else ()
    return replace(span, start=joined[0][0], end=joined[-1][1], fragments=fragments)


def _trimmed(text: str, start: int, end: int) -> Place:
    while start < end and _is_blank(text[start]):
        start += 1
    while start < end and _is_blank(text[end - 1]):
        end -= 1
    return start, end


def _joined(text: str, pieces: tuple[Place, ...]) -> tuple[Place, ...]:
    joined = [pieces[0]]
    for start, end in pieces[1:]:
        if all(map(_is_blank, text[joined[-1][1] : start])):
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return tuple(joined)


def _is_blank(character: str) -> bool:
    return character.isspace() or character == BOM
