"""brat stand-off: ``x.ann`` beside ``x.txt``."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medsweep.corpus._base import Document, Reading, Span
from medsweep.corpus.readers._fields import as_name, as_value
from medsweep.corpus.readers._lines import decode, numbered_lines
from medsweep.corpus.readers._spans import BOM
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


@dataclass(frozen=True, slots=True)
class _Mention:
    """A line of a mention: what stands where, in the file's own offsets."""

    id: str
    type: str
    fragments: Fragments
    surface: str
    where: str


class Brat:
    """Text-bound annotations (``T``), discontinuous ones too, and what else there is, counted.

    Attributes (``A``) and normalisations (``N``) of mentions are kept: a binary one as ``true``, of
    several of one name the first.

    A document is a pair of files, read by its ``.ann``. A ``.txt`` alone is an unannotated
    document, and is read in a folder where the format is named. Offsets are code points of the
    ``.txt`` as it is, as brat counts them; they are checked against the annotated texts. Where
    more of these stand at the offsets of a text without CR or byte order mark, the file is taken
    to count so. A mention that stands elsewhere goes to the only place that has its text.
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
    found: list[_Mention] = []
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
        mention = _parse(line, where)
        if mention.id in places:
            raise DataError(f"id {mention.id} is taken by line {places[mention.id]}", where=where)
        places[mention.id] = number
        found.append(mention)
    # Of events and relations, which are no mentions.
    if lost := sum(len(said) for of, said in fields.items() if of not in places):
        changes["attributes left out"] += lost
    for mention, pieces in zip(found, _anchored(found, text, changes), strict=True):
        attributes = tuple(sorted(fields.get(mention.id, {}).items()))
        fragments = pieces if len(pieces) > 1 else ()
        yield Span(pieces[0][0], pieces[-1][1], mention.type, fragments, attributes)


def _parse(line: str, where: str) -> _Mention:
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
    fragments = tuple((int(a), int(b)) for a, b in offsets)
    edges = [edge for fragment in fragments for edge in fragment]
    if edges != sorted(edges):
        raise DataError("the offsets overlap or are out of order", where=where)
    return _Mention(id_, type_, fragments, surface, where)


def _anchored(
    mentions: Sequence[_Mention], text: str, changes: Counter[str]
) -> Iterator[Fragments]:
    """The fragments of each mention where its text stands.

    One way of counting holds for a file: a mention of few letters may fit by chance in another.
    """
    ways = _ways(text)
    fitting = {
        name: sum(_fits(_counted(m, way), m.surface, text) for m in mentions)
        for name, way in ways.items()
    }
    # Of equals the first, which is brat's own.
    best = max(ways, key=lambda name: fitting[name])
    order = [best, *(name for name in ways if name != best)]
    for mention in mentions:
        yield _placed(mention, {name: ways[name] for name in order}, text, changes)


def _ways(text: str) -> dict[str, Callable[[int], int]]:
    """From offsets as a tool may count them to those of the text, by what counts as a change."""
    ways: dict[str, Callable[[int], int]] = {"": lambda offset: offset}
    # Where the line breaks stand in a text with LF for CRLF.
    breaks = [m.start() - n for n, m in enumerate(re.finditer("\r\n", text))]
    if breaks:
        ways["offsets that do not count CR moved"] = lambda o: o + bisect_left(breaks, o)
    if text.startswith(BOM):
        ways["offsets that do not count the byte order mark moved"] = lambda o: o + 1
    if breaks and text.startswith(BOM):
        ways["offsets that count neither CR nor the byte order mark moved"] = lambda o: (
            o + 1 + bisect_left(breaks, o + 1)
        )
    return ways


def _counted(mention: _Mention, way: Callable[[int], int]) -> Fragments:
    return tuple((way(a), way(b)) for a, b in mention.fragments)


def _placed(
    mention: _Mention, ways: dict[str, Callable[[int], int]], text: str, changes: Counter[str]
) -> Fragments:
    """The fragments of a mention by the first way of counting that fits.

    brat writes the text of fragments with a space between them, and line breaks as spaces.
    """
    counted = {name: _counted(mention, way) for name, way in ways.items()}
    name = next((n for n, f in counted.items() if _fits(f, mention.surface, text)), None)
    if name is None:
        name = next(iter(counted))
        if not _letters(_slices(counted[name], text)) == _letters(mention.surface) != "":
            return (_only_place(mention, text, changes),)
        changes["annotated texts that differ from the text in white space"] += 1
    if counted[name] != mention.fragments:
        changes[name] += 1
    return counted[name]


def _fits(fragments: Fragments, surface: str, text: str) -> bool:
    return fragments[-1][1] <= len(text) and _spaced(_slices(fragments, text)) == _spaced(surface)


def _slices(fragments: Fragments, text: str) -> str:
    return " ".join(text[a:b] for a, b in fragments) if fragments[-1][1] <= len(text) else ""


def _spaced(text: str) -> str:
    return re.sub(r"[\r\n\t]", " ", text.replace("\r\n", "\n"))


def _letters(text: str) -> str:
    return "".join(text.split())


def _only_place(mention: _Mention, text: str, changes: Counter[str]) -> tuple[int, int]:
    surface = mention.surface if len(mention.fragments) == 1 else ""
    start = text.find(surface) if surface.strip() else -1
    if start < 0 or text.find(surface, start + 1) >= 0:
        raise DataError(
            "the annotated text does not stand at its offsets, nor at one other place only",
            where=mention.where,
            fix="put the .txt there that was annotated",
        )
    changes["offsets moved to the annotated text's only place"] += 1
    return start, start + len(surface)
