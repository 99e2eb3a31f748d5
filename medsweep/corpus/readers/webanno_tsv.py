"""WebAnno TSV 3, as WebAnno and INCEpTION export it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medsweep.corpus._base import Changes, Document, Reading, Span
from medsweep.corpus.readers._layers import REFERENCES, Choice, Layer, count_layers
from medsweep.corpus.readers._lines import numbered_lines
from medsweep.corpus.readers._parsed import parsed_for_choice, parsed_once
from medsweep.corpus.readers._utf16 import Utf16, utf16_length
from medsweep.corpus.readers._webanno_cells import (
    annotation,
    annotations_in,
    chain_link,
    unescaped,
)
from medsweep.errors import DataError

_FORMAT = "#FORMAT=WebAnno TSV 3."
_LAYER = re.compile(r"#T_(?P<kind>SP|CH|RL)=(?P<name>[^|]{1,200})(?:\|(?P<columns>.*))?")
_ROW = re.compile(
    r"(?P<token>\d{1,9}-\d{1,9})(?P<part>\.\d{1,9})?\t(?P<start>\d{1,12})-(?P<end>\d{1,12})\t"
)
_SLOT = "ROLE_"
# A longer gap is a damaged offset, and would be filled up.
_LARGEST_GAP = 2**20


@dataclass(frozen=True, slots=True)
class _Columns:
    """A layer's columns: its kind (SP, CH, RL), name, first column, and what each holds."""

    kind: str
    name: str
    first: int
    names: tuple[str, ...]

    @property
    def layer(self) -> Layer:
        """The layer with what has a value: neither slots nor a relation's ends."""
        own = [self.names[i] for i in self.numbered]
        return Layer(self.name, tuple(n for n in own if n and not n.startswith(_SLOT)))

    def cells(self, row: _Row) -> Sequence[str]:
        """The layer's cells of a row."""
        return row.cells[self.first : self.first + len(self.names)]

    def has(self, row: _Row) -> bool:
        """Whether the row has an annotation of the layer."""
        return not row.is_blank and any(cell != "_" for cell in self.cells(row))

    @property
    def numbered(self) -> list[int]:
        """Columns in which annotations have their numbers.

        A slot takes two columns, its role and its filler; the filler's has the filler's numbers.
        """
        fillers = {i + 1 for i, n in enumerate(self.names) if n.startswith(_SLOT)}
        return [i for i, n in enumerate(self.names) if i not in fillers and not n.startswith("BT_")]


@dataclass(frozen=True, slots=True)
class _Row:
    """A token, or with a point in its number a part of one. Offsets in UTF-16 units."""

    line: int
    token: str
    is_part: bool
    start: int
    end: int
    surface: str
    cells: Sequence[str]
    is_blank: bool


@dataclass(slots=True)
class _Sentence:
    line: int
    texts: list[str] = field(default_factory=list)
    rows: list[_Row] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """An annotation whose tokens are being read."""

    start: int
    end: int
    features: Mapping[str, str | None]
    token: int


class WebannoTsv:
    """A file is a document; its text is put together from the sentences at their offsets.

    What stands between sentences is not in the file: line breaks are put there. Offsets are
    UTF-16 units, columns those of the header. Chains are read as layers of their links. Other
    features than the type are a mention's attributes. Relations, slots and layers that are not
    asked for are left out.
    """

    name = "webanno-tsv"
    suffixes: tuple[str, ...] = ()
    shared_suffixes: tuple[str, ...] = (".tsv",)
    layered = True

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """The document of a file."""
        columns, sentences = parsed_once(_parse, path, reading)
        text = _text(sentences, path.name, reading.changes)
        rows = [row for sentence in sentences for row in sentence.rows]
        _count_relations(columns, rows, reading.changes)
        choice = reading.choice
        spans: tuple[Span, ...] | None = () if reading.layer or choice else None
        if count_layers(_layers(columns, rows), reading) and choice is not None:
            chosen = next(c for c in columns if c.kind != "RL" and c.name == choice.layer.name)
            spans = tuple(_spans(rows, chosen, choice, Utf16(text), path.name, reading.changes))
        yield Document(path.stem, text, spans=spans, source=path.name)

    def layers(self, path: Path, reading: Reading) -> Sequence[Layer]:
        """The layers of a file, for choosing one."""
        columns, sentences = parsed_for_choice(_parse, path, reading)
        return _layers(columns, [row for sentence in sentences for row in sentence.rows])


def _layers(columns: Sequence[_Columns], rows: Sequence[_Row]) -> list[Layer]:
    """Some headers list the layers of the project, those without an annotation too."""
    return [replace(c.layer, mentions=_mentions(rows, c)) for c in columns if c.kind != "RL"]


def looks_like_webanno(path: Path) -> bool:
    """Whether the first line names the format; for inferring it."""
    with path.open("rb") as file:
        return file.readline(200).removeprefix(b"\xef\xbb\xbf").startswith(b"#FORMAT=WebAnno TSV")


def _parse(path: Path, reading: Reading) -> tuple[list[_Columns], list[_Sentence]]:
    """The header's layers, and the sentences."""
    columns: list[_Columns] = []
    sentences: list[_Sentence] = []
    lines = numbered_lines(path, reading)
    _, first = next(lines, (1, ""))
    if not first.startswith(_FORMAT):
        raise DataError(
            "the first line is not #FORMAT=WebAnno TSV 3",
            where=f"{path.name}:1",
            fix="export the document as WebAnno TSV 3",
        )
    before = first
    name = path.name
    for number, line in lines:
        where = f"{name}:{number}"
        sentence = sentences[-1] if sentences else None
        reading_text = sentence is not None and not sentence.rows
        if sentence is not None and (match := _ROW.match(line)):
            sentence.rows.append(_row(match, number, columns, where))
        elif line.startswith("#Text="):
            if sentence is None or sentence.rows or not before:
                sentence = _Sentence(number)
                sentences.append(sentence)
            sentence.texts.append(line.removeprefix("#Text="))
        elif reading_text and sentence is not None and not line.startswith("#Sentence."):
            # Early versions wrote a sentence's line breaks as they are.
            sentence.texts.append(line)
        elif line.startswith("#T_") and sentence is None:
            columns.append(_columns(line, columns, where))
        elif line.strip() and not line.startswith("#"):
            raise DataError("neither a token nor a comment", where=where)
        before = "" if line.startswith("#Sentence.") else line
    return columns, sentences


def _columns(line: str, before: Sequence[_Columns], where: str) -> _Columns:
    match = _LAYER.fullmatch(line)
    if match is None:
        raise DataError("not the header of a layer", where=where)
    if match["name"] in (c.name for c in before):
        raise DataError("a layer has two headers", where=where)
    names = tuple((match["columns"] or "").split("|"))
    first = before[-1].first + len(before[-1].names) if before else 0
    columns = _Columns(match["kind"], match["name"], first, names)
    if len(set(columns.layer.features)) < len(columns.layer.features):
        raise DataError("a layer has a feature twice", where=where)
    return columns


def _row(match: re.Match[str], number: int, columns: Sequence[_Columns], where: str) -> _Row:
    surface, *cells = match.string[match.end() :].split("\t")
    width = columns[-1].first + len(columns[-1].names) if columns else 0
    if len(cells) == width + 1 and not cells[-1]:
        cells.pop()
    if len(cells) != width:
        raise DataError(f"{len(cells)} columns, the header has {width}", where=where)
    start, end = int(match["start"]), int(match["end"])
    if start > end:
        raise DataError("the token ends before it starts", where=where)
    is_blank = cells.count("_") == width
    return _Row(number, match["token"], bool(match["part"]), start, end, surface, cells, is_blank)


def _count_relations(columns: Sequence[_Columns], rows: Sequence[_Row], changes: Changes) -> None:
    places = [c.first for c in columns if c.kind == "RL"]
    cells = [row.cells[i] for row in rows for i in places]
    if found := sum(len(annotations_in(cell)) for cell in cells if cell != "_"):
        changes["relations left out"] += found


def _text(sentences: Sequence[_Sentence], name: str, changes: Changes) -> str:
    texts, length, gaps = list[str](), 0, 0
    for sentence in sentences:
        where = f"{name}:{sentence.line}"
        if not sentence.rows and not any(t.strip() for t in sentence.texts):
            continue
        start, text = _placed(sentence, name)
        if start < length or start - length > _LARGEST_GAP:
            raise DataError("the sentence does not follow the one before", where=where)
        texts += ["\n" * (start - length), text]
        gaps += start > length
        length = start + utf16_length(text)
    if gaps:
        changes["gaps between sentences filled with line breaks"] += gaps
    return "".join(texts)


def _placed(sentence: _Sentence, name: str) -> tuple[int, str]:
    """Where a sentence starts, and its text.

    Both are known by its tokens. Early versions did not escape the text.
    """
    lines = sentence.texts
    while lines and not lines[-1]:
        lines = lines[:-1]
    tokens = [row for row in sentence.rows if not row.is_part]
    if not tokens:
        raise DataError("a sentence without tokens", where=f"{name}:{sentence.line}")
    broken = tokens[0].line
    for escaped in (True, False):
        text = "\n".join(unescaped(t) if escaped else t for t in lines)
        first = unescaped(tokens[0].surface) if escaped else tokens[0].surface
        start = tokens[0].start - utf16_length(text[: max(text.find(first), 0)])
        misplaced = _misplaced(sentence.rows, text, start, escaped)
        if misplaced is None:
            return start, text
        broken = misplaced if escaped else broken
    raise DataError(
        "the token does not stand at its offsets in the sentence",
        where=f"{name}:{broken}",
        fix="offsets count UTF-16 units from the document's start; export the file again",
    )


def _misplaced(rows: Sequence[_Row], text: str, start: int, escaped: bool) -> int | None:
    """The line of the first token that is not where it is said to be."""
    places = Utf16(text)
    for row in rows:
        a, b = places.code_point(row.start - start), places.code_point(row.end - start)
        surface = unescaped(row.surface) if escaped else row.surface
        if a is None or b is None or text[a:b] != surface:
            return row.line
    return None


def _spans(
    rows: Sequence[_Row],
    columns: _Columns,
    choice: Choice,
    places: Utf16,
    name: str,
    changes: Changes,
) -> Iterator[Span]:
    """Spans of a layer; annotations with the same number are one, the others a token each."""
    done: list[tuple[_Open, int]] = []
    numbered: dict[str, _Open] = {}
    token = -1
    for before, row in itertools.pairwise([None, *rows]):
        assert row is not None
        token += before is None or before.token != row.token
        if row.is_blank:
            continue
        for features, id_ in _items(row, columns, f"{name}:{row.line}"):
            open_ = numbered.get(id_) if id_ else None
            if open_ is None:
                open_ = _Open(row.start, row.end, features, token)
                done.append((open_, row.line))
                if id_:
                    numbered[id_] = open_
            elif open_.features != features or open_.token < token - 1:
                raise DataError(
                    "an annotation changes its values, or goes on behind a gap",
                    where=f"{name}:{row.line}",
                    fix="give annotations different numbers",
                )
            else:
                open_.start, open_.end = min(open_.start, row.start), max(open_.end, row.end)
                open_.token = token
    for open_, line in done:
        yield _span(open_, choice, places, f"{name}:{line}", changes)


def _span(found: _Open, choice: Choice, places: Utf16, where: str, changes: Changes) -> Span:
    start, end = places.code_point(found.start), places.code_point(found.end)
    if start is None or end is None:
        raise DataError("the annotation lies outside the text", where=where)
    slots = [v.count(";") + 1 for f, v in found.features.items() if f.startswith(_SLOT) and v]
    changes.count_mentions(REFERENCES, sum(slots))
    return choice.span(start, end, found.features, where, changes)


def _mentions(rows: Sequence[_Row], columns: _Columns) -> int:
    """The number of a layer's annotations; it may not be asked for, and is not checked."""
    read = chain_link if columns.kind == "CH" else annotation
    single, numbered = 0, set[str]()
    for row in filter(columns.has, rows):
        cells = columns.cells(row)
        filled = [cells[i] for i in columns.numbered if cells[i] != "_"] or ["*"]
        # Of a chain's columns only the first tells links apart.
        filled = filled[:1] if columns.kind == "CH" else filled
        numbers = [[read(raw)[1] for raw in annotations_in(cell)] for cell in filled]
        single += max(of_cell.count(None) for of_cell in numbers)
        numbered |= {n for of_cell in numbers for n in of_cell if n is not None}
    return single + len(numbered)


def _items(
    row: _Row, columns: _Columns, where: str
) -> list[tuple[Mapping[str, str | None], str | None]]:
    """Features and number of each of a row's annotations; several where they are stacked."""
    if not columns.has(row):
        return []
    cells, read = columns.cells(row), chain_link if columns.kind == "CH" else annotation
    # A column may be empty where no annotation has its feature.
    items = {
        columns.names[i]: [read(raw) for raw in annotations_in(cells[i])]
        for i in columns.numbered
        if cells[i] != "_"
    }
    if columns.kind == "CH":
        found = [[number for _, number in column] for column in items.values()]
        numbers = _of_links(found, where)
        links = enumerate(numbers)
        return [({f: column[n][0] for f, column in items.items()}, i) for n, i in links]
    return _stacked(items, where)


def _stacked(
    items: Mapping[str, list[tuple[str | None, str | None]]], where: str
) -> list[tuple[Mapping[str, str | None], str | None]]:
    """A row's annotations by their numbers, which each column repeats.

    Pepper leaves an annotation out of the columns of features that it has no value of: numbers
    then tell whose the others are, and the order is that of the column with most of them.
    """
    columns = [[i for _, i in column] for column in items.values()] or [[None]]
    if all(numbers == columns[0] for numbers in columns):
        return [
            ({f: column[n][0] for f, column in items.items()}, i) for n, i in enumerate(columns[0])
        ]
    if any(None in numbers or len({*numbers}) < len(numbers) for numbers in columns):
        raise DataError(
            "the columns of a layer differ in their annotations",
            where=where,
            fix="export the document again",
        )
    order = dict.fromkeys(i for numbers in sorted(columns, key=len, reverse=True) for i in numbers)
    values = {f: {i: value for value, i in column} for f, column in items.items()}
    return [({f: v.get(i) for f, v in values.items()}, i) for i in order]


def _of_links(found: Sequence[list[str | None]], where: str) -> list[str | None]:
    """The numbers of a row's links; columns that do not tell them apart have their chains'."""
    links = next((n for n in found if n and all("-" in (i or "") for i in n)), [])
    if not links or any(len(numbers) != len(links) for numbers in found):
        raise DataError("the links of a chain do not match their values", where=where)
    return links
