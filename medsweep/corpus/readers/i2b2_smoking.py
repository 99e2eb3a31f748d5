"""The i2b2 2006 smoking challenge: XML, or a zip of it."""

from __future__ import annotations

import codecs
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._fields import make_document
from medsweep.errors import DataError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# The challenge's files have a few MB. Prose deflates to a third or less, not to a hundredth.
LARGEST_XML = 2**28
LARGEST_RATIO = 100
MOST_MEMBERS = 1000


class I2b2Smoking:
    """``ROOT/RECORD[@ID]`` with ``SMOKING[@STATUS]`` (absent: unlabelled) and ``TEXT``.

    A record has no line in messages, only its number: the parser does not tell lines.
    """

    name = "i2b2-smoking"
    suffixes: tuple[str, ...] = ()
    shared_suffixes: tuple[str, ...] = (".xml", ".zip")  # hold other formats too: see `infer`
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of an XML file, or of every XML file in a zip."""
        del reading
        if path.suffix.lower() == ".zip":
            for name, raw in xml_members(path):
                yield from _records(raw, f"{path.name}/{name}", Path(name).stem)
        else:
            if path.stat().st_size > LARGEST_XML:
                raise _too_large(path.name)
            yield from _records(path.read_bytes(), path.name, path.stem)


def xml_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of the XML files in a zip, none unpacked beyond the limits."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [i for i in archive.infolist() if _is_xml(i.filename)]
            if not members:
                raise DataError("no XML file in the zip", where=path.name)
            _check_sizes(members, path.name)
            for info in members:
                # The sizes in a zip are claims: never read more than was claimed.
                with archive.open(info) as file:
                    yield info.filename, file.read(info.file_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise DataError(
            "not a readable zip", where=path.name, fix="unpack it and name the XML file"
        ) from None


def _is_xml(name: str) -> bool:
    path = Path(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return path.suffix.lower() == ".xml" and not hidden


def _check_sizes(members: list[zipfile.ZipInfo], where: str) -> None:
    size, packed = sum(i.file_size for i in members), sum(i.compress_size for i in members)
    if len(members) > MOST_MEMBERS or size > LARGEST_XML or size > LARGEST_RATIO * packed + 2**20:
        raise _too_large(where)
    if any(i.flag_bits & 1 for i in members):
        raise DataError("the zip is encrypted", where=where, fix="unpack it")


def _too_large(where: str) -> DataError:
    return DataError(
        "unpacks to more than a corpus of this format can hold",
        where=where,
        fix="check where the file comes from",
    )


def _records(raw: bytes, where: str, stem: str) -> Iterator[Document]:
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
        )


def _parse(raw: bytes, where: str) -> Element:
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    start = strip_start(raw)
    skipped = raw[: len(raw) - len(start)].count(b"\n")
    try:
        root: Element = fromstring(start, forbid_dtd=True)
    except DefusedXmlException:
        raise DataError(
            "the XML declares a document type or entities, which medsweep refuses",
            where=where,
            fix="take the DOCTYPE out",
        ) from None
    except ParseError as error:
        line = error.position[0] + skipped
        raise DataError("not well-formed XML", where=f"{where}:{line}") from None
    except (LookupError, ValueError):
        raise DataError("the XML's encoding is unknown", where=where) from None
    return root


def strip_start(raw: bytes) -> bytes:
    """Without what the challenge's files have before the XML declaration, which XML forbids."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw
    return raw.removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n")
