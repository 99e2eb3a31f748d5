"""BioC, as XML and as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from medsweep.corpus._base import Changes, Document, Reading, Span
from medsweep.corpus.readers._anchor import Mention, Pieces, anchored
from medsweep.corpus.readers._fields import ATTRIBUTES, as_attributes, as_name
from medsweep.corpus.readers._json import as_list, as_object, as_whole, load_json
from medsweep.errors import DataError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

RELATIONS = "relations left out"
GAPS = "gaps between passages made one space"

TYPE = "type"
# Wider gaps between sentences are no white space of the original but text that was left out.
WIDEST_GAP = 8


@dataclass(frozen=True, slots=True)
class _Block:
    """A stretch of text with an offset: where the file says it is, and where it is put."""

    offset: int
    start: int
    text: str


class Bioc:
    """A collection of documents of passages, or of passages of sentences.

    Passages are joined with one space, whatever their offsets say: these are wrong in places
    where a tool counted escaped characters, and hold gaps where a document is an excerpt. The
    type of a mention is its infon ``type``, or the one that ``layer`` names; the others that have
    a value are its attributes, of several of one key the first. A document without annotation has
    no mention: the format does not tell it from an unannotated one.
    """

    name = "bioc"
    suffixes: tuple[str, ...] = (".bioc",)
    shared_suffixes: tuple[str, ...] = (".xml", ".json")
    layered = True

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file; JSON is read as a whole."""
        is_json = path.suffix.lower() == ".json" or _starts_as_json(path)
        raw = _json_documents(path) if is_json else _xml_documents(path, reading.changes)
        for number, document in enumerate(raw, 1):
            where = f"{path.name}: document {number}"
            yield _document(document, f"{path.stem}-{number}", where, reading)


def _starts_as_json(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _json_documents(path: Path) -> Iterator[dict[str, Any]]:
    """The documents of a collection, or of a list of collections as PubMed Central serves it."""
    loaded = load_json(path)
    for collection in loaded if isinstance(loaded, list) else [loaded]:
        whole = as_object(collection, "the collection", path.name)
        if "documents" not in whole:
            raise DataError("the collection has no documents", where=path.name)
        for document in as_list(whole["documents"], "documents", path.name):
            yield as_object(document, "a document", path.name)


# The PyPI package `bioc` is not used: it parses with lxml's defaults, which resolve entities, and
# raises its own parser's errors, which quote text.
def _xml_documents(path: Path, changes: Changes) -> Iterator[dict[str, Any]]:
    """Documents as BioC's JSON has them; each is let go once it was read."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    # A DOCTYPE that names BioC.dtd is usual. The parser does not fetch it, and entities, which
    # only a DTD can bring in, are refused.
    try:
        with path.open("rb") as file:
            events = iterparse(file, events=("start", "end"))
            _, root = next(events)
            if root.tag != "collection":
                raise DataError(
                    "the root element is not collection",
                    where=path.name,
                    fix="name the right format",
                )
            for event, element in events:
                if event == "end" and element.tag == "document":
                    yield _xml_part(element, changes)
                    root.clear()
    except DefusedXmlException:
        raise DataError(
            "the XML declares entities, which medsweep refuses",
            where=path.name,
            fix="take them out of the DOCTYPE",
        ) from None
    except ParseError as error:
        raise DataError("not well-formed XML", where=f"{path.name}:{error.position[0]}") from None
    except (LookupError, ValueError):
        raise DataError("the XML's encoding is unknown", where=path.name) from None


_LISTS = ("passage", "sentence", "annotation", "relation", "location")
_ATTRIBUTES = ("id", "offset", "length")


def _xml_part(element: Element, changes: Changes) -> dict[str, Any]:
    part: dict[str, Any] = {k: v for k, v in element.attrib.items() if k in _ATTRIBUTES}
    part["infons"] = {}
    for child in element:
        if child.tag == "infon":
            key, value = child.get("key", ""), "".join(child.itertext())
            if part["infons"].setdefault(key, value) != value and element.tag == "annotation":
                changes[ATTRIBUTES] += 1
        elif child.tag in _LISTS:
            part.setdefault(f"{child.tag}s", []).append(_xml_part(child, changes))
        elif child.tag in ("id", "offset", "text"):
            part[child.tag] = "".join(child.itertext())
    return part


def _document(raw: Mapping[str, Any], id_: str, where: str, reading: Reading) -> Document:
    document = _Builder(where, reading)
    for number, passage in enumerate(as_list(raw.get("passages"), "passages", where), 1):
        document.add_passage(as_object(passage, "a passage", where), number)
    document.add_outer(raw)
    return Document(
        id=as_name(raw.get("id"), "id", where) or id_,
        text=document.text,
        spans=document.spans(),
        source=where,
    )


class _Builder:
    """Puts a document's blocks one behind the other, and its mentions into them."""

    def __init__(self, where: str, reading: Reading) -> None:
        self.text = ""
        self._where, self._changes = where, reading.changes
        self._key = reading.layer or TYPE
        self._blocks: list[_Block] = []
        self._mentions: dict[int, list[Mention]] = {}
        self._count = 0

    def add_passage(self, passage: Mapping[str, Any], number: int) -> None:
        """Its text and annotations, and those of its sentences."""
        where = f"{self._where}, passage {number}"
        offset = as_whole(passage.get("offset"), "the passage's offset", where)
        sentences = [
            as_object(s, "a sentence", where)
            for s in as_list(passage.get("sentences"), "sentences", where)
        ]
        first = len(self._blocks)
        if text := _text(passage, where):
            self._add_block(offset, text, within=False)
        for sentence in [] if text else sentences:
            at = as_whole(sentence.get("offset"), "the sentence's offset", where)
            if part := _text(sentence, where):
                self._add_block(at, part, within=len(self._blocks) > first)
        for part_of in (passage, *sentences):
            self._add_annotations(part_of, range(first, len(self._blocks)))

    def add_outer(self, document: Mapping[str, Any]) -> None:
        """Annotations that stand behind all passages."""
        self._add_annotations(document, range(len(self._blocks)))

    def spans(self) -> tuple[Span, ...]:
        """All mentions, at their surface text."""
        spans = list[Span]()
        for number, mentions in self._mentions.items():
            block = self._blocks[number]
            within = block.start, block.start + len(block.text)
            spans += anchored(self.text, mentions, self._changes, within)
        return tuple(spans)

    def _add_block(self, offset: int, text: str, *, within: bool) -> None:
        if self._blocks:
            self.text += self._gap(offset, text, within)
        self._blocks.append(_Block(offset, len(self.text), text))
        self.text += text

    def _gap(self, offset: int, text: str, within: bool) -> str:
        last = self._blocks[-1]
        gap = offset - last.offset - len(last.text)
        if within and 0 <= gap <= WIDEST_GAP:
            return " " * gap
        if gap == 0 and (last.text[-1].isspace() or text[0].isspace()):
            return ""
        if gap != 1:
            self._changes[GAPS] += 1
        return " "

    def _add_annotations(self, part: Mapping[str, Any], blocks: range) -> None:
        if relations := as_list(part.get("relations"), "relations", self._where):
            self._changes[RELATIONS] += len(relations)
        for raw in as_list(part.get("annotations"), "annotations", self._where):
            self._count += 1
            where = f"{self._where}, annotation {self._count}"
            self._add_annotation(as_object(raw, "the annotation", where), blocks, where)

    def _add_annotation(self, raw: Mapping[str, Any], blocks: range, where: str) -> None:
        if not blocks:
            raise DataError("an annotation of a passage without text", where=where)
        pieces = _pieces(raw, where)
        first = pieces[0][0] if pieces else 0
        owner = _owner([self._blocks[b] for b in blocks], first) + blocks.start
        move = self._blocks[owner].start - self._blocks[owner].offset
        infons = as_object(raw.get("infons") or {}, "infons", where)
        type_ = as_name(infons.get(self._key), "type", where)
        if type_ is None:
            raise DataError(
                f"the annotation has no infon {self._key!r}",
                where=where,
                fix="name the infon that holds the type with layer",
            )
        others = {key: value for key, value in infons.items() if key != self._key}
        mention = Mention(
            type_,
            tuple((a + move, b + move) for a, b in pieces),
            _text(raw, where) or None,
            where,
            as_attributes(others, "infon's key", where, self._changes),
        )
        self._mentions.setdefault(owner, []).append(mention)


def _text(part: Mapping[str, Any], where: str) -> str:
    text = part.get("text")
    if text is not None and not isinstance(text, str):
        raise DataError("a text is not a string", where=where)
    return text or ""


def _pieces(raw: Mapping[str, Any], where: str) -> Pieces:
    pieces = []
    for location in as_list(raw.get("locations"), "locations", where):
        place = as_object(location, "a location", where)
        start = as_whole(place.get("offset"), "the location's offset", where)
        length = as_whole(place.get("length"), "the location's length", where)
        if length:
            pieces.append((start, start + length))
    return tuple(sorted(pieces))


def _owner(blocks: list[_Block], offset: int) -> int:
    """The last block that begins before a mention; its own passage, where there is but one."""
    begun = [n for n, b in enumerate(blocks) if b.offset <= offset]
    return max(begun, key=lambda n: blocks[n].offset, default=0)


def looks_like_bioc_xml(start: bytes) -> bool:
    """Whether XML that begins so, without declaration and comments, is a BioC collection."""
    return re.match(rb"(?:<!DOCTYPE\s+collection\b[^>\[]*>\s*)?<collection\b", start) is not None


def looks_like_bioc_json(start: bytes) -> bool:
    """Whether JSON that begins so is a BioC collection."""
    return b'"documents"' in start and (b'"passages"' in start or b"BioC" in start)
