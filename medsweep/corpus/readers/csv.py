"""Tables with a header: comma, semicolon or tab."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from medsweep.corpus._base import Columns, Document, Reading
from medsweep.corpus.readers._fields import make_document, parse_json, shown
from medsweep.corpus.readers._lines import decode
from medsweep.errors import DataError

# Python refuses cells above 128 KiB unless told otherwise; a long stay's notes are longer.
LARGEST_CELL = 2**27


class Csv:
    """The columns of JSONL; ``entities`` holds its JSON list. An empty cell is a missing value.

    ``labels`` holds names with ``;`` between them or a JSON list; ``[]`` says that none applies.
    """

    name = "csv"
    suffixes: tuple[str, ...] = (".csv",)
    shared_suffixes: tuple[str, ...] = (".tsv",)  # also how CoNLL files are called: see `infer`
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file."""
        columns = reading.columns
        csv.field_size_limit(max(csv.field_size_limit(), LARGEST_CELL))
        raw = _decode_all(path)
        delimiter = delimiter_of(raw.partition("\n")[0], columns)
        rows = csv.reader(io.StringIO(raw, newline=""), delimiter=delimiter, strict=True)
        header: list[str] | None = None
        line, count = 1, 0
        while True:
            where = f"{path.name}:{line}"
            try:
                row = next(rows, None)
            except csv.Error:
                raise DataError(
                    "the quotes of the row that starts here do not match",
                    where=where,
                    fix="quote cells with a line break or a quote, and double quotes inside",
                ) from None
            if row is None:
                break
            line = rows.line_num + 1
            if not any(row):
                continue
            if header is None:
                header = checked_header([c.strip() for c in row], columns, where)
                continue
            count += 1
            id_ = f"{path.stem}-{count}"
            yield _document(header, row, columns, where, id_, reading.changes)


def _decode_all(path: Path) -> str:
    raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
    return decode(b"\xff", f"{path.name}:{line}")


def delimiter_of(header: str, columns: Columns) -> str:
    """The delimiter that lays the text's column bare, else the most frequent one."""
    best = max(",;\t", key=header.count)
    for delimiter in sorted(",;\t", key=lambda d: d != best):
        if columns.text in (c.strip().strip('"') for c in header.split(delimiter)):
            return delimiter
    return best


def checked_header(header: list[str], columns: Columns, where: str) -> list[str]:
    """``header``, which must have the column of the text, and every column that was named."""
    if any(c and header.count(c) > 1 for c in header):
        raise DataError(f"a column name appears twice ({shown(header)})", where=where)
    usual = Columns()
    for part in ("text", "id", "label", "labels", "entities", "group"):
        name = getattr(columns, part)
        # A column that the user named must be there; the usual names are optional but for text.
        if name not in header and (part == "text" or name != getattr(usual, part)):
            raise DataError(
                f"no column {name!r} for the {part} in the header ({shown(header)})",
                where=where,
                fix=f"name the column of the {part} under columns",
            )
    return header


def _document(
    header: list[str],
    row: list[str],
    columns: Columns,
    where: str,
    id_: str,
    changes: Counter[str],
) -> Document:
    if len(row) != len(header):
        raise DataError(
            f"{len(row)} cells, the header has {len(header)}",
            where=where,
            fix="quote cells that hold the delimiter",
        )
    cells = dict(zip(header, row, strict=True))
    entities = cells.get(columns.entities, "").strip()
    return make_document(
        id=cells.get(columns.id, "").strip() or id_,
        text=cells[columns.text],
        label=cells.get(columns.label),
        labels=cells.get(columns.labels),
        entities=parse_json(entities, f"{where}: {columns.entities}") if entities else None,
        group=cells.get(columns.group),
        where=where,
        changes=changes,
    )
