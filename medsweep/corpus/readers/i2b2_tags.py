"""Challenges of i2b2 and n2c2 whose XML holds a text and tags: 2012, 2014 and 2018."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medsweep.corpus._base import Document, Reading, Span
from medsweep.corpus.readers._anchor import Mention, anchored
from medsweep.corpus.readers._fields import as_attributes, as_name
from medsweep.corpus.readers._json import as_whole
from medsweep.corpus.readers._xml import parse_xml
from medsweep.corpus.readers._zip import LARGEST, too_large
from medsweep.corpus.readers.brat import Brat
from medsweep.corpus.readers.i2b2_smoking import strip_start
from medsweep.errors import DataError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_ROOTS = {
    b"ClinicalNarrativeTemporalAnnotation": "i2b2-2012",
    b"deIdi2b2": "i2b2-2014",
    b"PatientMatching": "n2c2-2018",
}
_OWN = {"id", "start", "end", "text", "TYPE", "comment"}


def format_of_tags(start: bytes) -> str | None:
    """The format of XML that begins so, without declaration and comments."""
    match = re.match(rb"<(?P<root>\w+)[^>]*>\s*<TEXT>", start)
    if match is None:
        return None
    # Risk factors of 2014 have a root of no name.
    return _ROOTS.get(match["root"], "i2b2-2014" if match["root"] == b"root" else None)


@dataclass(frozen=True, slots=True)
class _Tags:
    """A file's text, and the elements below ``TAGS``."""

    text: str
    tags: list[Element]
    where: str

    @classmethod
    def read(cls, path: Path) -> _Tags:
        if path.stat().st_size > LARGEST:
            raise too_large(path.name)
        root = parse_xml(strip_start(path.read_bytes()), path.name)
        text, tags = root.find("TEXT"), root.find("TAGS")
        if text is None:
            raise DataError("there is no TEXT", where=path.name, fix="name the right format")
        return cls("".join(text.itertext()), list(tags) if tags is not None else [], path.name)


class I2b22014:
    """De-identification and risk factors (i2b2 2014): each tag with a place is a mention.

    Its type is ``TYPE``, or where there is none the element's name. Of risk factors, whose document
    tags hold those of several annotators, the inner tags are the mentions; equal ones are joined.
    """

    name = "i2b2-2014"
    suffixes: tuple[str, ...] = ()
    shared_suffixes: tuple[str, ...] = (".xml",)
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """The document of a file."""
        found = _Tags.read(path)
        yield Document(path.stem, found.text, spans=_spans(found, reading), source=path.name)


class I2b22012(I2b22014):
    """Temporal relations (i2b2 2012): ``EVENT`` and ``TIMEX3`` by their ``type``, where they have
    one; links between them are left out.
    """

    name = "i2b2-2012"


class N2c22018:
    """n2c2 2018: criteria that a patient meets as labels (track 1), or brat's files (track 2)."""

    name = "n2c2-2018"
    suffixes: tuple[str, ...] = ()
    shared_suffixes: tuple[str, ...] = (".xml", ".ann")
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """The document of a file."""
        if path.suffix.lower() == ".ann":
            yield from Brat().read(path, reading)
            return
        found = _Tags.read(path)
        met = {as_name(t.tag, "criterion", path.name) for t in found.tags if t.get("met") == "met"}
        judged = any(t.get("met") is not None for t in found.tags)
        labels = tuple(sorted(name for name in met if name is not None)) if judged else None
        yield Document(path.stem, found.text, labels=labels, source=path.name)


def _spans(found: _Tags, reading: Reading) -> tuple[Span, ...]:
    elements = [e for tag in found.tags for e in tag.iter() if e.get("start") is not None]
    without = sum(e.get("start") is None for tag in found.tags for e in tag.iter())
    if without:
        reading.changes["tags without a place left out"] += without
    mentions = [
        _mention(e, f"{found.where}: tag {number}", reading) for number, e in enumerate(elements, 1)
    ]
    return tuple(anchored(found.text, mentions, reading.changes, (0, len(found.text))))


def _mention(element: Element, where: str, reading: Reading) -> Mention:
    kind = element.get("TYPE", element.get("type") if element.tag in ("EVENT", "TIMEX3") else None)
    type_ = as_name(kind, "TYPE", where) or as_name(element.tag, "tag", where)
    assert type_ is not None  # an element has a name
    start, end = (as_whole(element.get(k), k, where) for k in ("start", "end"))
    others = {k: v for k, v in element.items() if k not in _OWN and v != kind}
    return Mention(
        type_,
        ((start, end),) if start < end else (),
        element.get("text") or None,
        where,
        as_attributes(others, "attribute", where, reading.changes),
    )
