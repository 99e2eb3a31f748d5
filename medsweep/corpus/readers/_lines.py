"""Text files: their encoding, and their lines with numbers."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from medsweep.corpus._base import Reading
from medsweep.errors import DataError

UTF16 = "files read as UTF-16"
WINDOWS = "files that are not UTF-8 read as Windows-1252: --encoding names another"

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# A character of two to four bytes, as UTF-8 has them and Windows-1252 hardly ever.
_MULTIBYTE = re.compile(
    rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
# The first bytes of what is no text, by what a message calls it.
_NO_TEXT = (
    (b"PK\x03\x04", "a zip, or an Excel or Word file", "name a file in it, or save it as .csv"),
    (b"\x1f\x8b", "compressed with gzip", "let its name end with .gz"),
    (b"\xfd7zXZ\x00", "compressed with xz", "let its name end with .xz"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", "save it as .xlsx or .csv"),
    (b"PAR1", "a parquet file", "leave --format out, or name parquet"),
    (b"%PDF", "a PDF", "export the text"),
)


# Larger files are read line by line.
_AT_ONCE = 2**26


def numbered_lines(path: Path, reading: Reading | None = None) -> Iterator[tuple[int, str]]:
    """Lines from 1, without their ends; a byte order mark is dropped.

    ``reading`` says what encodings are taken: UTF-8 alone where it is None.

    Raises:
        DataError: a line is not in the encoding.
    """
    encoding = "utf-8" if reading is None else encoding_of(path, reading)
    if encoding.startswith("utf-16"):
        for number, line in enumerate(read_text(path, reading).split("\n"), 1):
            yield number, line.removeprefix("\ufeff" if number == 1 else "").rstrip("\r\n")
        return
    # Only LF ends a line: Unicode has line separators that occur inside clinical text.
    if path.stat().st_size <= _AT_ONCE:
        try:
            text = path.read_bytes().removeprefix(codecs.BOM_UTF8).decode(encoding)
        except UnicodeDecodeError:
            pass  # the line is found below
        else:
            lines = text.split("\n")
            for number, line in enumerate(lines if lines[-1] else lines[:-1], 1):
                yield number, line.rstrip("\r")
            return
    # Decoded a line at a time, so that a bad byte is reported with the line it stands in.
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if number == 1:
                raw = raw.removeprefix(codecs.BOM_UTF8)
            yield number, decode(raw, f"{path.name}:{number}", encoding).rstrip("\r\n")


def read_text(path: Path, reading: Reading | None = None) -> str:
    """The whole text of a file, with a byte order mark that it may have."""
    encoding = "utf-8" if reading is None else encoding_of(path, reading)
    raw = path.read_bytes()
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
    return decode(b"\xff", f"{path.name}:{line}", "ascii", named=encoding)


def encoding_of(path: Path, reading: Reading) -> str:
    """The encoding of a text file: the one that is asked for, else UTF-8, UTF-16 or Windows-1252.

    UTF-16 is told by its mark. What is not UTF-8 is Windows-1252, unless it has characters of
    several bytes, which only UTF-8 has: then a byte of it is damaged. Both count in the changes.

    Raises:
        DataError: the file is no text, or the encoding that is asked for does not exist.
    """
    if reading.encoding is not None:
        try:
            return codecs.lookup(reading.encoding).name
        except LookupError:
            raise DataError(
                f"no encoding {reading.encoding!r}",
                where="encoding",
                fix="write utf-8, cp1252, latin-1 or utf-16",
            ) from None
    known = reading.changes.encodings
    if path not in known:
        raw = path.read_bytes()
        known[path] = _told(raw, path.name)
        if known[path] == "utf-16":
            reading.changes[UTF16] += 1
        if known[path] == "cp1252":
            reading.changes[WINDOWS] += 1
    return known[path]


def _told(raw: bytes, where: str) -> str:
    for start, what, fix in _NO_TEXT:
        if raw.startswith(start):
            raise DataError(f"the file is {what}", where=where, fix=fix)
    if raw.startswith(_UTF16_MARKS):
        return "utf-16"
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        if _MULTIBYTE.search(raw) or b"\0" in raw:
            return "utf-8"
        try:
            raw.decode("cp1252")
        except UnicodeDecodeError:
            return "utf-8"
        return "cp1252"
    return "utf-8"


def decode(raw: bytes, where: str, encoding: str = "utf-8", *, named: str | None = None) -> str:
    """Bytes as text; the cause is not chained, for it holds the bytes."""
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        shown = (named or encoding).upper()
        fix = "save the file as UTF-8, or name its encoding with --encoding"
        raise DataError(f"not {shown}", where=where, fix=fix) from None
