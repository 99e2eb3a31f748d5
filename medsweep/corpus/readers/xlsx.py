"""Excel workbooks."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from medsweep.corpus._base import Changes, Document, Reading
from medsweep.corpus.readers._header import checked_header
from medsweep.corpus.readers._records import OWN, documents
from medsweep.corpus.readers._zip import DAMAGES
from medsweep.errors import DataError

# A sheet's XML repeats itself more than prose does.
LARGEST_UNPACKED = 2**29
LARGEST_RATIO = 200
MOST_MEMBERS = 1000
MOST_COLUMNS = 1000
MOST_ROWS = 2**20  # as in Excel
LONGEST_CELL = 32_767  # in Excel, in UTF-16 units

SHEETS = "other sheets left out"
MERGED = "cells filled with the value that was merged over them"
CUT = "texts as long as a cell can be, perhaps cut"
ESCAPED = "texts with characters that Excel escaped"

_ERRORS = {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA"}
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell ref="([A-Z]+\d+:[A-Z]+\d+)"')
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


class Xlsx:
    """The columns of CSV, in the first row of the first sheet that is shown.

    Formulas count by their stored value; what cells were merged over holds the merged value.
    """

    name = "xlsx"
    suffixes: tuple[str, ...] = (".xlsx",)
    shared_suffixes: tuple[str, ...] = ()
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a workbook."""
        _check_zip(path)
        return documents(_records(path, reading), reading, OWN)

    def rows(self, path: Path, _reading: Reading) -> Iterator[dict[str, Any]]:
        """Cells by the names of their columns, whatever these are."""
        _check_zip(path)
        rows = (row for row in _rows(path, Changes()) if any(c not in (None, "") for c in row))
        names = _names(next(rows, ()))
        return ({n: c for n, c in zip(names, row, strict=False) if n} for row in rows)


def _records(path: Path, reading: Reading) -> Iterator[tuple[str, str, dict[str, Any]]]:
    header: list[str] | None = None
    for number, cells in enumerate(_rows(path, reading.changes), 1):
        where = f"{path.name}: row {number}"
        # openpyxl fills what a file skips: a single cell far away makes millions.
        if number > MOST_ROWS or len(cells) > MOST_COLUMNS:
            raise DataError("more rows or columns than a sheet of texts has", where=where)
        if all(c is None or c == "" for c in cells):
            continue
        if header is None:
            header = checked_header(_names(cells), reading.columns, where)
            continue
        if any(c is not None and c != "" for c in cells[len(header) :]):
            raise DataError(
                f"cells beyond the header, which has {len(header)}",
                where=where,
                fix="name their columns in the first row, or empty them",
            )
        row = {h: _value(c, where) for h, c in zip(header, cells, strict=False) if h}
        text = row.setdefault(reading.columns.text, None)
        if isinstance(text, str):
            row[reading.columns.text] = _unescaped(text, reading.changes)
        yield where, f"{path.stem}-{number}", {h: None if c == "" else c for h, c in row.items()}


def _check_zip(path: Path) -> None:
    """Refuse macros, XML with a document type, and what unpacks to more than was ever typed."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size, packed = sum(i.file_size for i in members), path.stat().st_size
            if (
                len(members) > MOST_MEMBERS
                or size > LARGEST_UNPACKED
                or size > LARGEST_RATIO * packed + 2**20
            ):
                raise DataError(
                    "unpacks to more than a workbook of texts can hold",
                    where=path.name,
                    fix="check where the file comes from",
                )
            if any(i.filename.lower().endswith("vbaproject.bin") for i in members):
                raise DataError(
                    "the workbook holds macros", where=path.name, fix="save it as .xlsx without"
                )
            if any(_has_doctype(archive, i) for i in members):
                raise DataError("the workbook's XML declares a document type", where=path.name)
    except DAMAGES:
        raise DataError(
            "not a readable workbook", where=path.name, fix="save it as .xlsx without password"
        ) from None


def _has_doctype(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    """Whichever parser openpyxl finds installed: no entity reaches it. UTF-16 is looked through."""
    with archive.open(member) as file:
        return b"<!DOCTYPE" in file.read(member.file_size).replace(b"\0", b"")


def _rows(path: Path, changes: Changes) -> Iterator[tuple[Any, ...]]:
    try:
        import openpyxl
    except ImportError:
        raise DataError(
            "reading workbooks needs a package that is not installed",
            where=path.name,
            fix="pip install 'medsweep[formats]'",
        ) from None
    import warnings

    # On a damaged file openpyxl raises whatever its parsing meets.
    try:
        with warnings.catch_warnings():
            # It warns of styles and validations that it drops.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                sheets = book.worksheets
                sheet = next((s for s in sheets if s.sheet_state == "visible"), sheets[0])
                if len(sheets) > 1:
                    changes[SHEETS] += len(sheets) - 1
                # The sheet's own idea of its size may be wrong.
                sheet.reset_dimensions()
                merges = _merges(path, sheet)
                yield from _filled(sheet.iter_rows(values_only=True), merges, changes)
            finally:
                book.close()
    except Exception as error:
        problem = f"not a readable workbook ({type(error).__name__})"
    else:
        return
    raise DataError(problem, where=path.name, fix="open it and save it again")


def _merges(path: Path, sheet: Any) -> list[tuple[int, int, int, int]]:
    """First and last row, first and last column (from 1) of each merged range of a sheet."""
    from openpyxl.utils.cell import range_boundaries

    with zipfile.ZipFile(path) as archive:
        raw = archive.read(sheet._worksheet_path.lstrip("/"))
    ranges = [range_boundaries(m[1].decode()) for m in _MERGED.finditer(raw)]
    return [(top, bottom, left, right) for left, top, right, bottom in ranges if bottom > top]


def _filled(
    rows: Iterable[tuple[Any, ...]], merges: list[tuple[int, int, int, int]], changes: Changes
) -> Iterator[tuple[Any, ...]]:
    """Rows with the value of a range that was merged over several of them in each."""
    values: dict[tuple[int, int], Any] = {}
    for number, row in enumerate(rows, 1):
        cells = list(row)
        for top, bottom, left, _ in merges:
            if number == top and left <= len(cells):
                values[top, left] = cells[left - 1]
            elif top < number <= bottom and values.get((top, left)) is not None:
                cells += [None] * (left - len(cells))
                cells[left - 1] = values[top, left]
                changes[MERGED] += 1
        yield tuple(cells)


def _names(cells: tuple[Any, ...]) -> list[str]:
    names = ["" if c is None else str(c).strip() for c in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _value(cell: Any, where: str) -> Any:
    if isinstance(cell, str) and cell in _ERRORS:
        raise DataError("a cell holds an error of a formula", where=where)
    return cell


def _unescaped(text: str, changes: Changes) -> str:
    """Excel writes control characters as ``_x000D_``, and an underscore before such as ``_x005F_``.

    They count in the offsets of whoever saw the cell as one character.
    """
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 >= LONGEST_CELL:
        changes[CUT] += 1
    plain = _ESCAPE.sub(lambda m: chr(int(m[1], 16)), text)
    if plain != text:
        changes[ESCAPED] += 1
    return plain
