"""Tags of tokens: IOB1, IOB2, BIOES and BILOU."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from medsweep.corpus._base import Span
from medsweep.corpus.readers._fields import LONGEST_NAME
from medsweep.errors import DataError

# Bare prefixes are how two-class files (BioBERT's) write their one type.
TAG = re.compile(r"O|[BIESLUM](?:-(?P<type>\S(?:.*\S)?))?")
ONE_TYPE = "ENTITY"


def checked_tag(tag: str, where: str) -> str:
    """``tag``, which must be one.

    Raises:
        DataError: it is none; without it, for it may be a word.
    """
    if not TAG.fullmatch(tag) or len(tag) > LONGEST_NAME:
        # Without the tag: in a file of another layout it may be a word of the text.
        raise DataError(
            "the tag is none of O, B-TYPE, I-TYPE, E-TYPE, S-TYPE",
            where=where,
            fix="put the tag in the last column",
        )
    return tag


def decode_tags(tokens: Sequence[str], tags: Sequence[str], position: int) -> Iterator[Span]:
    """Spans of tags of tokens with single spaces between, the first of them at ``position``."""
    places = []
    for token in tokens:
        places.append((position, position + len(token)))
        position += len(token) + 1
    return mentions_of_tags(places, tags)


def mentions_of_tags(places: Sequence[tuple[int, int]], tags: Sequence[str]) -> Iterator[Span]:
    """Spans of tags of tokens at ``places``, as (start, end).

    ``I`` or ``E`` without a mention to go on with starts one, as in IOB1.
    """
    open_: Span | None = None
    for (start, end), tag in zip(places, tags, strict=True):
        prefix, type_ = tag[0], tag[2:] or ONE_TYPE
        goes_on = prefix in "IELM" and open_ is not None and open_.type == type_
        if open_ is not None and not goes_on:
            yield open_
            open_ = None
        if prefix != "O":
            open_ = Span(open_.start if open_ else start, end, type_)
        if open_ is not None and prefix in "ELSU":
            yield open_
            open_ = None
    if open_ is not None:
        yield open_
