"""Files that are parsed once, though they are looked at twice: for choosing a layer, and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from medsweep.corpus._base import Changes, Reading

# Bytes of files that are kept: what is parsed takes several times as much memory.
MOST_KEPT = 2**26

_Parsed = TypeVar("_Parsed")
Parse = Callable[[Path, Reading], _Parsed]


def parsed_for_choice(parse: Parse[_Parsed], path: Path, reading: Reading) -> _Parsed:
    """A parsed file, which is kept for :func:`parsed_once`; what it changes counts only there."""
    changes = Changes()
    changes.encodings = reading.changes.encodings
    found = parse(path, replace(reading, changes=changes))
    if sum(p.stat().st_size for p in reading.parsed) + path.stat().st_size <= MOST_KEPT:
        reading.parsed[path] = found, changes
    return found


def parsed_once(parse: Parse[_Parsed], path: Path, reading: Reading) -> _Parsed:
    """A parsed file, whether it was parsed before or not."""
    if path not in reading.parsed:
        return parse(path, reading)
    found: _Parsed
    found, changes = reading.parsed.pop(path)
    reading.changes.update(changes)
    reading.changes.of_mentions |= changes.of_mentions
    return found
