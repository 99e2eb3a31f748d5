"""Mentions beside their surface text: put back where there is one place for them, else left out.

Formats that repeat a mention's text let offsets be checked. Files in the wild count bytes, UTF-16
units, escaped characters, line ends that the text has lost, or the last character; a mention that
is a few characters off would teach a model nonsense. The rule is one for all formats: a mention
that does not fit is moved within ``WINDOW`` characters where that is unique, else left out with
its place in the file.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from medsweep.corpus._base import Changes, Span
from medsweep.corpus.readers._spans import BOM
from medsweep.errors import DataError

Pieces = tuple[tuple[int, int], ...]

# Far enough for a title's worth of escaped quotes, near enough that a word seldom repeats.
WINDOW = 64
_SHIFTS = sorted((s for s in range(-WINDOW, WINDOW + 1) if s), key=abs)

MOVED = "mentions moved to where their text is"
LOST = "mentions left out: their text is not at their place"
OUTSIDE = "mentions left out: their place is not in the text"
OVERLAPPING = "overlapping pieces of mentions joined"
INCLUSIVE = "ends of mentions that counted the last character moved"
CR_MISSED = "offsets that do not count CR moved"
CR_COUNTED = "offsets that count a CR that the text has not moved"
BOM_MISSED = "offsets that do not count the byte order mark moved"
BOTH_MISSED = "offsets that count neither CR nor the byte order mark moved"


@dataclass(frozen=True, slots=True)
class Mention:
    """A mention as a file has it.

    Attributes:
        type: the entity type.
        pieces: ``(start, end)`` in the text, each with a character, in the file's order; none of
            them for a mention without a character. May lie outside of the text.
        surface: what the file says stands there; None where it does not say.
        where: its place in the file.
        attributes: what else is said of it, as :class:`Span` has them.
    """

    type: str
    pieces: Pieces
    surface: str | None
    where: str
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """A way to count offsets: ``place`` maps a piece as a file counts it into the text.

    ``kind`` is what a piece that it moves counts as in the changes. ``exact``: white space counts
    when a surface is compared, for a moved end would take that in which no mention has.
    """

    kind: str
    place: Callable[[tuple[int, int]], tuple[int, int] | None]
    exact: bool = False

    def places(self, pieces: Pieces) -> Pieces | None:
        """All pieces in the text; None where one of them begins or ends within a character."""
        placed = tuple(self.place(piece) for piece in pieces)
        known = tuple(piece for piece in placed if piece is not None)
        return known if len(known) == len(placed) else None

    def fits(self, text: str, mention: Mention) -> bool:
        """Whether the surface of a mention stands where this way puts it."""
        pieces = self.places(mention.pieces)
        if pieces is None or not _fits(text, pieces, mention.surface):
            return False
        return not self.exact or not any(_has_blank_edge(text[a:b]) for a, b in pieces)


def anchored(
    text: str, mentions: Sequence[Mention], changes: Changes, block: tuple[int, int]
) -> list[Span]:
    """The spans of the mentions of a block (start, end) of ``text``, each at its surface text.

    Where some do not fit, all may be counted in another way from the block's start on, or be off
    by one distance; failing that, each is moved to the only match in the block within ``WINDOW``
    characters that is not torn out of a word, or left out. All of this counts in ``changes``. A
    mention without a character stays one.
    """
    spans = [Span(0, 0, m.type) for m in mentions if not m.pieces]
    mentions = [m for m in mentions if m.pieces]
    for mention, (kind, pieces) in zip(mentions, _placed(text, mentions, block), strict=True):
        if pieces is None:
            changes.leave_out(LOST, _misplacement(text, mention, LOST))
        elif any(not 0 <= a < b <= len(text) for a, b in pieces):
            changes.leave_out(OUTSIDE, _misplacement(text, mention, OUTSIDE))
        else:
            if pieces != mention.pieces:
                changes.count_mentions(kind)
            spans.append(_span(mention, pieces, changes))
    return spans


def _misplacement(text: str, mention: Mention, kind: str) -> DataError:
    if kind == LOST:
        return DataError(
            "the annotated text does not stand at its offsets, nor at one other place near by",
            where=mention.where,
            fix="put the text there that was annotated",
        )
    start, end = min(a for a, _ in mention.pieces), max(b for _, b in mention.pieces)
    return DataError(
        f"start {start} and end {end} do not lie in a text of {len(text)} characters",
        where=mention.where,
        fix="count code points from 0, the end behind the last one",
    )


def _placed(
    text: str, mentions: Sequence[Mention], block: tuple[int, int]
) -> list[tuple[str, Pieces | None]]:
    """The pieces of each mention, and what moving them counts as; None: there is no place."""
    if all(_fits(text, m.pieces, m.surface) for m in mentions):
        return [("", m.pieces) for m in mentions]
    ways = _ways(text, block)
    fitting = {way.kind: sum(way.fits(text, m) for m in mentions) for way in ways}
    # Of equals the first, which is that of the format.
    best = max(ways, key=lambda way: fitting[way.kind])
    if fitting[best.kind] < len(mentions):
        shifts = [
            s
            for s in _SHIFTS
            if all(_fits_in(text, _shifted(m.pieces, s), m.surface, block) for m in mentions)
        ]
        if len(shifts) == 1:
            return [(MOVED, _shifted(m.pieces, shifts[0])) for m in mentions]
    order = [best, *(way for way in ways if way is not best)]
    return [_alone(text, m, order, block) for m in mentions]


def _alone(
    text: str, mention: Mention, ways: Sequence[Way], block: tuple[int, int]
) -> tuple[str, Pieces | None]:
    for way in ways:
        if way.fits(text, mention):
            return way.kind, way.places(mention.pieces)
    moved = [_shifted(mention.pieces, s) for s in _SHIFTS]
    near = [p for p in moved if _fits_in(text, p, mention.surface, block)]
    whole = [p for p in near if not any(map(is_torn, [text] * len(p), p))]
    return MOVED, whole[0] if len(whole) == 1 else None


def _has_blank_edge(words: str) -> bool:
    return words != words.strip()


def is_torn(text: str, piece: tuple[int, int]) -> bool:
    """Whether a piece begins or ends within a word."""
    edges = (e for e in piece if 0 < e < len(text))
    return any(text[e - 1].isalnum() and text[e].isalnum() for e in edges)


def _ways(text: str, block: tuple[int, int]) -> list[Way]:
    """How a tool may count offsets, the format's own way first."""
    ways = [Way("", lambda piece: piece)]
    within = text[block[0] : block[1]]
    if not within.isascii():
        ways += [
            Way(MOVED, _of_units(within, block[0], encoding, width))
            for encoding, width in (("utf-8", 1), ("utf-16-le", 2))
        ]
    # Where the line breaks stand in a text with LF for CRLF.
    breaks = [m.start() - n for n, m in enumerate(re.finditer("\r\n", text))]
    ends = [n for n, c in enumerate(text) if c == "\n"] if not breaks else []
    marked = text.startswith(BOM)
    if breaks:
        ways.append(_by_offset(CR_MISSED, lambda o: o + bisect_left(breaks, o)))
    if marked:
        ways.append(_by_offset(BOM_MISSED, lambda o: o + 1))
    if breaks and marked:
        ways.append(_by_offset(BOTH_MISSED, lambda o: o + 1 + bisect_left(breaks, o + 1)))
    if ends:
        # The place of each line end where CR stands before it.
        counted = [end + n + 1 for n, end in enumerate(ends)]
        ways.append(_by_offset(CR_COUNTED, lambda o: o - bisect_left(counted, o)))
    ways.append(Way(INCLUSIVE, lambda piece: (piece[0], piece[1] + 1), exact=True))
    return ways


def _by_offset(kind: str, place: Callable[[int], int]) -> Way:
    return Way(kind, lambda piece: (place(piece[0]), place(piece[1])))


def _of_units(
    text: str, start: int, encoding: str, width: int
) -> Callable[[tuple[int, int]], tuple[int, int] | None]:
    """From offsets in units of an encoding to code points."""
    points: Mapping[int, int] = _points(text, encoding, width)

    def place(piece: tuple[int, int]) -> tuple[int, int] | None:
        a, b = points.get(piece[0] - start), points.get(piece[1] - start)
        return None if a is None or b is None else (start + a, start + b)

    return place


def _points(text: str, encoding: str, width: int) -> dict[int, int]:
    """Code points by units of an encoding."""
    points, units = {0: 0}, 0
    for number, character in enumerate(text, 1):
        units += len(character.encode(encoding, "surrogatepass")) // width
        points[units] = number
    return points


def _shifted(pieces: Pieces, shift: int) -> Pieces:
    return tuple((a + shift, b + shift) for a, b in pieces)


def _fits_in(text: str, pieces: Pieces, surface: str | None, block: tuple[int, int]) -> bool:
    inside = all(block[0] <= a and b <= block[1] for a, b in pieces)
    return inside and _fits(text, pieces, surface)


def _fits(text: str, pieces: Pieces, surface: str | None) -> bool:
    if surface is None:
        return True
    if any(not 0 <= a < b <= len(text) for a, b in pieces):
        return False
    words = "".join(text[a:b] for a, b in pieces)
    return words == surface or _plain(words) == _plain(surface)


def _plain(surface: str) -> str:
    """Without what tools normalise away: white space, case, compatibility forms."""
    return "".join(unicodedata.normalize("NFKC", surface).casefold().split())


def _span(mention: Mention, pieces: Pieces, changes: Changes) -> Span:
    """The mention at its pieces in the text's order, those that overlap as one."""
    ordered: list[tuple[int, int]] = []
    for start, end in sorted(pieces):
        if ordered and start < ordered[-1][1]:
            ordered[-1] = ordered[-1][0], max(end, ordered[-1][1])
            changes.count_mentions(OVERLAPPING)
        else:
            ordered.append((start, end))
    fragments = tuple(ordered) if len(ordered) > 1 else ()
    return Span(ordered[0][0], ordered[-1][1], mention.type, fragments, mention.attributes)
