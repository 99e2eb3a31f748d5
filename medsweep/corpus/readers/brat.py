"""brat stand-off: ``x.ann`` beside ``x.txt``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from medsweep.corpus._base import Changes, Document, Reading, Span
from medsweep.corpus.readers._anchor import Mention, Pieces, anchored
from medsweep.corpus.readers._fields import as_name, as_value
from medsweep.corpus.readers._lines import numbered_lines, read_text
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
# A line that has an id, of whatever kind; others go on with the text of the line before.
_LINE = re.compile(r"(?:[A-Za-z]+[\w-]*|\*|#[\w-]*)\t")

UNKNOWN = "lines of an unknown kind left out"


class Brat:
    """Text-bound annotations (``T``), discontinuous ones too, and what else there is, counted.

    Attributes (``A``) and normalisations (``N``) of mentions are kept: a binary one as ``true``, of
    several of one name the first.

    A document is a pair of files, read by its ``.ann``. A ``.txt`` alone is an unannotated
    document, and is read in a folder where the format is named. Offsets are code points of the
    ``.txt`` as it is, as brat counts them; they are checked against the annotated texts, and what
    does not fit is done as :func:`anchored` says. Lines of unknown kinds are left out.
    """

    name = "brat"
    suffixes: tuple[str, ...] = (".ann",)
    shared_suffixes: tuple[str, ...] = (".txt",)
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """The document of an ``.ann``, or of a ``.txt`` that has none."""
        if path.suffix.lower() == ".txt":
            if not path.with_suffix(".ann").exists():
                yield Document(path.stem, read_text(path, reading), source=path.name)
            return
        beside = path.with_suffix(".txt")
        if not beside.is_file():
            raise DataError(
                f"there is no {beside.name} beside it",
                where=path.name,
                fix="put the text there, or the annotations away",
            )
        text = read_text(beside, reading)
        spans = read_mentions([path], text, reading)
        yield Document(path.stem, text, spans=spans, source=path.name)


def read_mentions(paths: Sequence[Path], text: str, reading: Reading) -> tuple[Span, ...]:
    """The mentions of files that annotate one text, with their attributes.

    Raises:
        DataError: a line of a mention has no offsets, or an id comes twice.
    """
    changes = reading.changes
    places: dict[str, str] = {}
    mentions: dict[str, Mention] = {}
    fields: dict[str, dict[str, str]] = {}
    for line, where in (pair for path in paths for pair in _lines(path, reading)):
        kind = line[0]
        if kind in _LEFT_OUT:
            changes[_LEFT_OUT[kind]] += 1
        elif kind in _ATTRIBUTES:
            _add_attribute(line, where, fields, changes)
        elif kind != "T":
            changes[UNKNOWN] += 1
        else:
            id_, mention = _parse(line, where)
            if id_ in places:
                raise DataError(f"id {id_} is taken by line {places[id_]}", where=where)
            places[id_], mentions[id_] = where.rpartition(":")[2], mention
    # Of events and relations, which are no mentions.
    if lost := sum(len(values) for of, values in fields.items() if of not in places):
        changes["attributes left out"] += lost
    complete = [
        replace(mention, attributes=tuple(sorted(fields.get(id_, {}).items())))
        for id_, mention in mentions.items()
    ]
    return tuple(anchored(text, complete, changes, (0, len(text))))


def _lines(path: Path, reading: Reading) -> Iterator[tuple[str, str]]:
    """Lines with their places; one without an id goes on with the text of the mention before."""
    open_: tuple[str, str] | None = None
    for number, line in numbered_lines(path, reading):
        where = f"{path.name}:{number}"
        if not line.strip():
            continue
        if _LINE.match(line) is None:
            if open_ is None or open_[0][0] != "T":
                raise _no_line(where)
            open_ = f"{open_[0]} {line}", open_[1]
            continue
        if open_ is not None:
            yield open_
        open_ = line, where
    if open_ is not None:
        yield open_


def _add_attribute(
    line: str, where: str, fields: dict[str, dict[str, str]], changes: Changes
) -> None:
    match = _ATTRIBUTE.fullmatch(line)
    of = fields.setdefault(match["of"] if match else "", {})
    field = as_name(match["field"], "attribute", where) if match else None
    if match is None or field is None or field in of:
        changes[_ATTRIBUTES[line[0]]] += 1
    else:
        of[field] = as_value(match["value"]) or "true"


def _no_line(where: str) -> DataError:
    return DataError(
        "not a line of brat's",
        where=where,
        fix="write ID, tab, type and offsets, tab, the annotated text",
    )


def _parse(line: str, where: str) -> tuple[str, Mention]:
    id_, _, rest = line.partition("\t")
    mention, _, surface = rest.partition("\t")
    match = _MENTION.fullmatch(mention.strip(" "))
    if not re.fullmatch(r"T[\w-]{1,40}", id_) or match is None:
        raise _no_line(where)
    type_ = as_name(match["type"], "type", where)
    offsets = [o.split(" ") for o in match["offsets"].split(";")]
    if type_ is None or any(len(n) > _LONGEST_NUMBER for pair in offsets for n in pair):
        raise DataError("no type, or an offset out of range", where=where)
    pieces: Pieces = tuple((int(a), int(b)) for a, b in offsets)
    kept = tuple((a, b) for a, b in pieces if a != b)
    return id_, Mention(type_, kept, surface if surface.strip() else None, where)
