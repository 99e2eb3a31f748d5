"""Tables with a header: comma, semicolon, tab or bar."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsweep.corpus._base import Columns, Document, Reading
from medsweep.corpus.readers._header import checked_header
from medsweep.corpus.readers._lines import read_text
from medsweep.corpus.readers._records import OWN, documents
from medsweep.corpus.readers._spans import BOM
from medsweep.errors import DataError

# Python refuses cells above 128 KiB unless told otherwise; a long stay's notes are longer.
LARGEST_CELL = 2**27
DELIMITERS = ",;\t|"
BARE = "rows with quotes that close nothing read as they stand"

# Excel's own first line, which names the delimiter.
_SEP = re.compile(r"\"?sep=(?P<delimiter>[,;\t|])\"?\r?\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """Cells of a row, and the lines of the file that it takes: ``first`` to before ``end``."""

    cells: list[str]
    first: int
    end: int


class Csv:
    """The columns of JSONL; ``entities`` holds its JSON list. An empty cell is a missing value.

    ``labels`` holds names with ``;`` between them or a JSON list; ``[]`` says that none applies.
    Quotes are taken as such, unless they would swallow rows: a table with tabs is then read as one
    whose tool does not quote, another one is refused.
    """

    name = "csv"
    suffixes: tuple[str, ...] = (".csv",)
    shared_suffixes: tuple[str, ...] = (".tsv", ".tab", ".txt")  # others', too: see `infer`
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file."""
        return documents(_records(path, reading), reading, OWN)

    def rows(self, path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
        """Cells by the names of their columns, whatever these are."""
        found = table_rows(path, reading)
        names = [c.strip() for c in found[0].cells] if found else []
        return (dict(zip(names, row.cells, strict=False)) for row in found[1:])


def _records(path: Path, reading: Reading) -> Iterator[tuple[str, str, dict[str, Any]]]:
    columns = reading.columns
    rows = table_rows(path, reading)
    if not rows:
        return
    where = f"{path.name}:{rows[0].first}"
    header = checked_header([c.strip() for c in rows[0].cells], columns, where)
    for count, row in enumerate(rows[1:], 1):
        where = f"{path.name}:{row.first}"
        cells = row.cells
        if not any(cells[len(header) :]):
            cells = cells[: len(header)]
        if len(cells) != len(header):
            raise DataError(
                f"{len(cells)} cells, the header has {len(header)}",
                where=where,
                fix="quote cells that hold the delimiter",
            )
        record = {name: cell for name, cell in zip(header, cells, strict=True) if cell.strip()}
        record.setdefault(columns.text, "")
        yield where, f"{path.stem}-{count}", record


def table_rows(path: Path, reading: Reading) -> list[Row]:
    """The rows of a file that hold something, the header first.

    Raises:
        DataError: quotes do not match, or swallow whole rows.
    """
    raw = read_text(path, reading).removeprefix(BOM)
    sep = _SEP.match(raw)
    start = sep.end() if sep else 0
    delimiter = (
        sep["delimiter"]
        if sep
        else delimiter_of(raw.partition("\n")[0].rstrip("\r"), reading.columns)
    )
    lines = 1 if sep else 0
    quoted, broken = _quoted(raw[start:], delimiter, lines)
    if broken is None and all(r.end - r.first == 1 for r in quoted):
        return quoted
    bare = _bare(raw[start:], delimiter, lines)
    if not bare:
        return bare
    width = len(bare[0].cells)
    if delimiter == "\t" and all(len(row.cells) == width for row in bare):
        # What stands in a row then stands in a line, and no cell spans several.
        reading.changes[BARE] += sum(any(c.startswith('"') for c in r.cells) for r in bare)
        return bare
    if broken is not None:
        raise DataError(
            "the quotes of the row that starts here do not match",
            where=f"{path.name}:{broken}",
            fix="quote cells with a line break or a quote, and double quotes inside",
        )
    lines_of = {row.first: row for row in bare}
    for row in quoted:
        if row.end - row.first > 1 and _swallows(row, lines_of, width):
            raise DataError(
                f"a quote that opens here closes {row.end - row.first - 1} lines on, and each of "
                "these lines would be a row",
                where=f"{path.name}:{row.first}",
                fix="quote the whole cell, and double quotes inside",
            )
    return quoted


def _swallows(row: Row, lines: Mapping[int, Row], width: int) -> bool:
    """Whether each line of a row would be a row itself, and begin as it does.

    Prose may have as many commas in a line, but with a space behind them, or other first cells.
    """
    own = [lines[n] for n in range(row.first, row.end) if n in lines]
    shapes = {re.sub(r"[^\W\d]+", "a", re.sub(r"\d+", "0", r.cells[0].strip('"'))) for r in own}
    return (
        len(own) == row.end - row.first
        and all(len(r.cells) == width for r in own)
        and not any(cell.startswith(" ") for r in own for cell in r.cells)
        and (len(shapes) == 1 or own[0].cells[0].startswith('"'))
    )


def _quoted(raw: str, delimiter: str, before: int) -> tuple[list[Row], int | None]:
    """Rows as quotes make them, and the line in which a row starts whose quotes do not match."""
    csv.field_size_limit(max(csv.field_size_limit(), LARGEST_CELL))
    reader = csv.reader(io.StringIO(raw, newline=""), delimiter=delimiter, strict=True)
    rows, line = list[Row](), 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            return rows, line + before
        if cells is None:
            return rows, None
        if any(cells):
            rows.append(Row(cells, line + before, reader.line_num + 1 + before))
        line = reader.line_num + 1


def _bare(raw: str, delimiter: str, before: int) -> list[Row]:
    """Rows as lines make them, whatever quotes are in them."""
    lines = enumerate(re.split("\r\n|\n|\r", raw), 1 + before)
    return [Row(line.split(delimiter), n, n + 1) for n, line in lines if line.strip()]


def delimiter_of(header: str, columns: Columns) -> str:
    """The delimiter that lays the text's column bare, else the most frequent one."""
    best = max(DELIMITERS, key=header.count)
    for delimiter in sorted(DELIMITERS, key=lambda d: d != best):
        if columns.text in (c.strip().strip('"') for c in header.split(delimiter)):
            return delimiter
    return best
