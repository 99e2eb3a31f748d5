"""What looks damaged in a corpus: mentions beside their words, characters lost on the way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from medsweep.corpus._base import Document, Span

INSIDE = "mentions that begin or end inside a word"
LOST = "replacement characters (U+FFFD)"
MOJIBAKE = "UTF-8 read as Latin-1 (mojibake)"
CONTROL = "control characters"

# Bytes 80 to BF, which continue a character in UTF-8, as Latin-1 and as Windows-1252 show them.
_CONTINUED = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_PATTERNS = {
    LOST: re.compile("\ufffd"),
    # Two-byte characters of Western scripts begin with C2 or C3, typographic ones with E2 80.
    MOJIBAKE: re.compile(f"[ÂÃ][{_CONTINUED}]|â[\x80€][{_CONTINUED}]"),
    CONTROL: re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f]"),
}
MOST_IDS = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of damage.

    Attributes:
        kind: what it is.
        count: how often it occurs.
        documents: in how many documents.
        ids: of the first of those.
    """

    kind: str
    count: int
    documents: int
    ids: tuple[str, ...]


def find_damage(documents: Sequence[Document]) -> list[Finding]:
    """What was found, by kind; nothing where nothing is damaged.

    A mention inside a word may be meant, as a part of a compound; many of them are offsets that
    are off.
    """
    found = [(d.id, damage) for d in documents if (damage := _damage(d))]
    kinds = dict.fromkeys([INSIDE, *_PATTERNS])
    findings = []
    for kind in kinds:
        having = [(id_, damage[kind]) for id_, damage in found if damage[kind]]
        if having:
            ids = tuple(id_ for id_, _ in having[:MOST_IDS])
            findings.append(Finding(kind, sum(n for _, n in having), len(having), ids))
    return findings


def _damage(document: Document) -> Counter[str]:
    damage = Counter({kind: len(p.findall(document.text)) for kind, p in _PATTERNS.items()})
    pieces = [p for s in document.spans or () for p in _pieces(s)]
    damage[INSIDE] = sum(any(_inside(document.text, b) for b in p) for p in pieces)
    return +damage


def _pieces(span: Span) -> tuple[tuple[int, int], ...]:
    return span.fragments or ((span.start, span.end),)


def _inside(text: str, border: int) -> bool:
    """Whether a border stands between two letters or digits."""
    return 0 < border < len(text) and text[border - 1].isalnum() and text[border].isalnum()
