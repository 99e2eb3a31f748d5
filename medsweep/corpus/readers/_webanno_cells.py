"""The cells of WebAnno TSV: stacked annotations, their numbers, links and escapes."""

from __future__ import annotations

import re

_STACKED = re.compile(r"(?:[^\\|]|\\.|\\$)+", re.DOTALL)
_ITEM = re.compile(r"(?P<value>(?:[^\\]|\\.|\\$)*?)(?:\[(?P<id>\d{1,12})\])?", re.DOTALL)
_LINK = re.compile(r"(?P<value>.*)->(?P<id>\d{1,12}-\d{1,12})", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f"}


def annotations_in(cell: str) -> list[str]:
    """The annotations of a cell, which are stacked behind one another."""
    return _STACKED.findall(cell)


def annotation(raw: str) -> tuple[str | None, str | None]:
    """Value and number of an annotation."""
    match = _ITEM.fullmatch(raw)
    assert match is not None  # the value takes what is no number
    return _value(match["value"]), match["id"]


def chain_link(raw: str) -> tuple[str | None, str | None]:
    """As :func:`annotation`, or ``relation->chain-link``."""
    match = _LINK.fullmatch(raw)
    return (_value(match["value"]), match["id"]) if match else annotation(raw)


def _value(raw: str) -> str | None:
    return None if raw in ("*", "_", "") else unescaped(raw)


def unescaped(raw: str) -> str:
    """Without the backslashes of TSV."""
    return _ESCAPE.sub(lambda m: _CONTROLS.get(m[1], m[1]), raw) if "\\" in raw else raw
