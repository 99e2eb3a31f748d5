"""brat stand-off: ``x.ann`` beside ``x.txt``."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from medsweep.corpus._base import Document, Reading, Span
from medsweep.corpus.readers._fields import as_name, as_value
from medsweep.corpus.readers._lines import decode, numbered_lines
from medsweep.errors import DataError

_LEFT_OUT = {
    "R": "relations left out",
    "E": "events left out (their triggers are kept)",
    "#": "notes left out",
    "*": "equivalences left out",
}
_ATTRIBUTES = {
    "A": "attributes left out",
    "M": "attributes left out",
    "N": "normalisations left out",
}
_ATTRIBUTE = re.compile(
    r"[AMN][\w-]{1,40}\t(?P<field>\S+) (?P<of>\S+)(?: (?P<value>[^\t]+))?(?:\t.*)?"
)
_MENTION = re.compile(r"(?P<type>\S+) (?P<offsets>\d+ \d+(?:;\d+ \d+)*)")
_LONGEST_NUMBER = 12

Fragments = tuple[tuple[int, int], ...]


class Brat:
    """Text-bound annotations (``T``), discontinuous ones too, and what else there is, counted.

    Attributes (``A``) and normalisations (``N``) of mentions are kept: a binary one as ``true``, of
    several of one name the first.

    A document is a pair of files, read by its ``.ann``. A ``.txt`` alone is an unannotated
    document, and is read in a folder where the format is named. Offsets are code points of the
    ``.txt`` as it is, as brat counts them; they are checked against the annotated text. Where
    it stands elsewhere, the offsets of a text without CR are tried, and then the only place
    that has the annotated text.
    """

    name = "brat"
    suffixes: tuple[str, ...] = (".ann",)
    shared_suffixes: tuple[str, ...] = (".txt",)
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """The document of an ``.ann``, or of a ``.txt`` that has none."""
        if path.suffix.lower() == ".txt":
            if not path.with_suffix(".ann").exists():
                yield Document(path.stem, _read(path), source=path.name)
            return
        beside = path.with_suffix(".txt")
        if not beside.is_file():
            raise DataError(
                f"there is no {beside.name} beside it",
                where=path.name,
                fix="put the text there, or the annotations away",
            )
        text = _read(beside)
        spans = tuple(_mentions(path, text, reading.changes))
        yield Document(path.stem, text, spans=spans, source=path.name)


def _read(path: Path) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return decode(b"\xff", f"{path.name}:{line}")


def _mentions(path: Path, text: str, changes: Counter[str]) -> Iterator[Span]:
    places: dict[str, int] = {}
    spans: dict[str, Span] = {}
    fields: dict[str, dict[str, str]] = {}
    for number, line in numbered_lines(path):
        where = f"{path.name}:{number}"
        if not line.strip():
            continue
        if line[0] in _LEFT_OUT:
            changes[_LEFT_OUT[line[0]]] += 1
            continue
        if line[0] in _ATTRIBUTES:
            match = _ATTRIBUTE.fullmatch(line)
            of = fields.setdefault(match["of"] if match else "", {})
            field = as_name(match["field"], "attribute", where) if match else None
            if match is None or field is None or field in of:
                changes[_ATTRIBUTES[line[0]]] += 1
            else:
                of[field] = as_value(match["value"]) or "true"
            continue
        id_, type_, fragments, surface = _parse(line, where)
        if id_ in places:
            raise DataError(f"id {id_} is taken by line {places[id_]}", where=where)
        places[id_] = number
        spans[id_] = _span(type_, _anchored(fragments, surface, text, where, changes))
    # Of events and relations, which are no mentions.
    if lost := sum(len(found) for of, found in fields.items() if of not in spans):
        changes["attributes left out"] += lost
    for id_, span in spans.items():
        yield replace(span, attributes=tuple(sorted(fields.get(id_, {}).items())))


def _parse(line: str, where: str) -> tuple[str, str, Fragments, str]:
    id_, _, rest = line.partition("\t")
    mention, tab, surface = rest.partition("\t")
    match = _MENTION.fullmatch(mention)
    if not re.fullmatch(r"T[\w-]{1,40}", id_) or match is None or not tab:
        raise DataError(
            "not a line of brat's",
            where=where,
            fix="write ID, tab, type and offsets, tab, the annotated text",
        )
    type_ = as_name(match["type"], "type", where)
    offsets = [o.split(" ") for o in match["offsets"].split(";")]
    if type_ is None or any(len(n) > _LONGEST_NUMBER for pair in offsets for n in pair):
        raise DataError("no type, or an offset out of range", where=where)
    return id_, type_, tuple((int(a), int(b)) for a, b in offsets), surface


def _anchored(
    fragments: Fragments, surface: str, text: str, where: str, changes: Counter[str]
) -> Fragments:
    """The fragments where the annotated text stands.

    brat writes the text of fragments with a space between them, and line breaks as spaces.
    """
    ordered = all(a <= b for a, b in fragments) and all(
        a[1] <= b[0] for a, b in itertools.pairwise(fragments)
    )
    if not ordered:
        raise DataError("the offsets overlap or are out of order", where=where)
    if _fits(fragments, surface, text):
        return fragments
    if "\r\n" in text and _fits(shifted := _past_cr(fragments, text), surface, text):
        changes["offsets that do not count CR moved"] += 1
        return shifted
    if _letters(_slices(fragments, text)) == _letters(surface) != "":
        changes["annotated texts that differ from the text in white space"] += 1
        return fragments
    place = _only_place(surface, text) if len(fragments) == 1 else None
    if place is None:
        raise DataError(
            "the annotated text does not stand at its offsets, nor at one other place only",
            where=where,
            fix="put the .txt there that was annotated",
        )
    changes["offsets moved to the annotated text's only place"] += 1
    return (place,)


def _fits(fragments: Fragments, surface: str, text: str) -> bool:
    return fragments[-1][1] <= len(text) and _spaced(_slices(fragments, text)) == _spaced(surface)


def _slices(fragments: Fragments, text: str) -> str:
    return " ".join(text[a:b] for a, b in fragments) if fragments[-1][1] <= len(text) else ""


def _spaced(text: str) -> str:
    return re.sub(r"[\r\n\t]", " ", text.replace("\r\n", "\n"))


def _letters(text: str) -> str:
    return "".join(text.split())


def _past_cr(fragments: Fragments, text: str) -> Fragments:
    """Offsets in the text with LF for CRLF, as offsets in the text."""
    breaks = [m.start() - n for n, m in enumerate(re.finditer("\r\n", text))]

    def past(offset: int) -> int:
        return offset + sum(b < offset for b in breaks)

    return tuple((past(a), past(b)) for a, b in fragments)


def _only_place(surface: str, text: str) -> tuple[int, int] | None:
    start = text.find(surface) if surface.strip() else -1
    if start < 0 or text.find(surface, start + 1) >= 0:
        return None
    return start, start + len(surface)


def _span(type_: str, fragments: Fragments) -> Span:
    return Span(fragments[0][0], fragments[-1][1], type_, fragments if len(fragments) > 1 else ())
