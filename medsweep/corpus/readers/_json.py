"""Files that are one JSON value, and parts of it with their kind checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medsweep.corpus.readers._fields import parse_json
from medsweep.corpus.readers._lines import decode
from medsweep.errors import DataError


def load_json(path: Path) -> Any:
    """The value of a file."""
    raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    return parse_json(decode(raw, path.name), path.name)


def as_object(value: Any, what: str, where: str) -> dict[str, Any]:
    """``value``, which must be an object."""
    if not isinstance(value, dict):
        raise DataError(f"{what} is not an object", where=where)
    return value


def as_list(value: Any, what: str, where: str) -> list[Any]:
    """``value``, which must be a list; an absent one is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise DataError(f"{what} is not a list", where=where)
    return value


def as_whole(value: Any, what: str, where: str) -> int:
    """``value``, which must be a whole number, or its digits as XML and some JSON have them."""
    if isinstance(value, str) and len(value) < 16 and value.strip().isdecimal():
        value = int(value)
    if type(value) is not int or value < 0:
        raise DataError(f"{what} is not a whole number", where=where)
    return value
