"""The i2b2 2006 smoking challenge."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from medsweep.corpus._base import Changes, Document, Reading
from medsweep.corpus.readers._fields import make_document
from medsweep.corpus.readers._xml import parse_xml
from medsweep.corpus.readers._zip import LARGEST, too_large
from medsweep.errors import DataError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


class I2b2Smoking:
    """``ROOT/RECORD[@ID]`` with ``SMOKING[@STATUS]`` (absent: unlabelled) and ``TEXT``.

    A record has no line in messages, only its number: the parser does not tell lines.
    """

    name = "i2b2-smoking"
    suffixes: tuple[str, ...] = ()
    shared_suffixes: tuple[str, ...] = (".xml",)  # holds other formats too: see `infer`
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file."""
        if path.stat().st_size > LARGEST:
            raise too_large(path.name)
        yield from _records(path.read_bytes(), path.name, path.stem, reading.changes)


def _records(raw: bytes, where: str, stem: str, changes: Changes) -> Iterator[Document]:
    root = _parse(raw, where)
    if root.tag != "ROOT":
        raise DataError("the root element is not ROOT", where=where, fix="name the right format")
    for number, record in enumerate(root.iter("RECORD"), 1):
        place = f"{where}: record {number}"
        text = record.find("TEXT")
        if text is None:
            raise DataError("the record has no TEXT", where=place)
        smoking = record.find("SMOKING")
        if smoking is not None and not smoking.get("STATUS", "").strip():
            raise DataError("SMOKING has no STATUS", where=place)
        yield make_document(
            id=record.get("ID") or f"{stem}-{number}",
            text="".join(text.itertext()),
            label=None if smoking is None else smoking.get("STATUS"),
            entities=None,
            group=None,
            where=place,
            changes=changes,
        )


def _parse(raw: bytes, where: str) -> Element:
    start = strip_start(raw)
    return parse_xml(start, where, lines_before=raw[: len(raw) - len(start)].count(b"\n"))


def strip_start(raw: bytes) -> bytes:
    """Without what the challenge's files have before the XML declaration, which XML forbids."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw
    return raw.removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n")
