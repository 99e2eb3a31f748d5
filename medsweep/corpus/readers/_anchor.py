"""Mentions beside their surface text: put back where there is one place for them, else left out.

Formats that repeat a mention's text let offsets be checked. Files in the wild count bytes, UTF-16
units or escaped characters; a mention that is a few characters off would teach a model nonsense.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from medsweep.corpus._base import Span
from medsweep.errors import DataError

Pieces = tuple[tuple[int, int], ...]

# Far enough for a title's worth of escaped quotes, near enough that a word seldom repeats.
WINDOW = 64
_SHIFTS = [s for s in range(-WINDOW, WINDOW + 1) if s]
# Encodings whose units offsets are counted in by mistake, and the bytes of a unit.
_UNITS = (("utf-8", 1), ("utf-16-le", 2))

MOVED = "mentions moved to where their text is"
LOST = "mentions left out: their text is not at their place"


@dataclass(frozen=True, slots=True)
class Mention:
    """A mention as a file has it.

    Attributes:
        type: the entity type.
        pieces: ``(start, end)`` in the text, in order, each with a character; none of them for a
            mention without a character. May lie outside of the text.
        surface: what the file says stands there; None where it does not say.
        where: its place in the file.
        attributes: what else is said of it, as :class:`Span` has them.
    """

    type: str
    pieces: Pieces
    surface: str | None
    where: str
    attributes: tuple[tuple[str, str], ...] = ()


def anchored(
    text: str, mentions: Sequence[Mention], changes: Counter[str], block: tuple[int, int]
) -> list[Span]:
    """The spans of the mentions of a block (start, end) of ``text``, each at its surface text.

    Where some do not fit, all may be counted in other units from the block's start on, or be off
    by one distance; failing that, each is moved to the only match in the block within ``WINDOW``
    characters, or left out. Both count in ``changes``. A mention without a character stays one.

    Raises:
        DataError: a mention without surface lies outside the text, or its pieces overlap.
    """
    spans = [Span(0, 0, m.type) for m in mentions if not m.pieces]
    mentions = [m for m in mentions if m.pieces]
    placed = _all_at_once(text, mentions, block) or [_alone(text, m, block) for m in mentions]
    for mention, pieces in zip(mentions, placed, strict=True):
        if pieces is None:
            changes[LOST] += 1
            continue
        if pieces != mention.pieces:
            changes[MOVED] += 1
        spans.append(_span(mention, pieces, len(text)))
    return spans


def _all_at_once(
    text: str, mentions: Sequence[Mention], block: tuple[int, int]
) -> Sequence[Pieces | None] | None:
    """One explanation for all mentions; None where none, or more than one, fits them."""
    if all(_fits(text, m.pieces, m.surface) for m in mentions):
        return [m.pieces for m in mentions]
    for encoding, width in _UNITS:
        at = _offsets(text[block[0] : block[1]], encoding, width)
        recounted = [_recounted(m.pieces, at, block[0]) for m in mentions]
        if all(
            p is not None and _fits(text, p, m.surface)
            for p, m in zip(recounted, mentions, strict=True)
        ):
            return [p for p in recounted if p is not None]
    moved = [[_shifted(m.pieces, s) for m in mentions] for s in _SHIFTS]
    fitting = [
        ps
        for ps in moved
        if all(_fits_in(text, p, m.surface, block) for p, m in zip(ps, mentions, strict=True))
    ]
    return fitting[0] if len(fitting) == 1 else None


def _alone(text: str, mention: Mention, block: tuple[int, int]) -> Pieces | None:
    if _fits(text, mention.pieces, mention.surface):
        return mention.pieces
    moved = [_shifted(mention.pieces, s) for s in _SHIFTS]
    fitting = [p for p in moved if _fits_in(text, p, mention.surface, block)]
    return fitting[0] if len(fitting) == 1 else None


def _shifted(pieces: Pieces, shift: int) -> Pieces:
    return tuple((a + shift, b + shift) for a, b in pieces)


def _fits_in(text: str, pieces: Pieces, surface: str | None, block: tuple[int, int]) -> bool:
    inside = block[0] <= pieces[0][0] and pieces[-1][1] <= block[1]
    return inside and _fits(text, pieces, surface)


def _fits(text: str, pieces: Pieces, surface: str | None) -> bool:
    if surface is None:
        return True
    if any(not 0 <= a < b <= len(text) for a, b in pieces):
        return False
    return _plain("".join(text[a:b] for a, b in pieces)) == _plain(surface)


def _plain(surface: str) -> str:
    """Without what tools normalise away: white space, case, compatibility forms."""
    return "".join(unicodedata.normalize("NFKC", surface).casefold().split())


def _offsets(text: str, encoding: str, width: int) -> dict[int, int]:
    """Code points by units of an encoding."""
    at, units = {0: 0}, 0
    for number, character in enumerate(text, 1):
        units += len(character.encode(encoding, "surrogatepass")) // width
        at[units] = number
    return at


def _recounted(pieces: Pieces, at: dict[int, int], start: int) -> Pieces | None:
    found = [(at.get(a - start), at.get(b - start)) for a, b in pieces]
    made = tuple((start + a, start + b) for a, b in found if a is not None and b is not None)
    return made if len(made) == len(pieces) else None


def _span(mention: Mention, pieces: Pieces, length: int) -> Span:
    if any(not 0 <= a < b <= length for a, b in pieces):
        raise DataError(
            f"the mention does not lie in a text of {length} characters",
            where=mention.where,
            fix="count code points from 0",
        )
    if any(a[1] > b[0] for a, b in pairwise(pieces)):
        raise DataError("the pieces of the mention overlap", where=mention.where)
    hull = pieces[0][0], pieces[-1][1]
    return Span(*hull, mention.type, pieces if len(pieces) > 1 else (), mention.attributes)
