"""Lines of a UTF-8 file with their numbers."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from medsweep.errors import DataError


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines from 1, without their ends; a byte order mark is dropped.

    Raises:
        DataError: a line is not UTF-8.
    """
    # Decoded a line at a time, so that a bad byte is reported with the line it stands in. Only
    # LF ends a line: Unicode has line separators that occur inside clinical text.
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if number == 1:
                raw = raw.removeprefix(codecs.BOM_UTF8)
            yield number, decode(raw, f"{path.name}:{number}").rstrip("\r\n")


def decode(raw: bytes, where: str) -> str:
    """Bytes as text; the cause is not chained, for it holds the bytes."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError("not UTF-8", where=where, fix="save the file as UTF-8") from None
