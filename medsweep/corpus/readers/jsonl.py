"""JSON: one document an object, one object a line, or all of them in one value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._fields import parse_json
from medsweep.corpus.readers._json import load_json
from medsweep.corpus.readers._lines import numbered_lines
from medsweep.corpus.readers._records import SHAPES, Record, documents, record_shape
from medsweep.errors import DataError

_LINES = (".jsonl", ".ndjson")
_SHAPES = {shape.name: shape for shape in SHAPES}


class Jsonl:
    """``{"id","text"}`` with ``"label"``, ``"labels":[…]`` or ``"entities":[…]``; ``"group"``.

    An entity that has its own ``"text"`` is put where that stands; see ``parse_entities``. Objects
    over several lines, and the shapes of other tools, are read, too.
    """

    name = "jsonl"
    suffixes: tuple[str, ...] = _LINES
    shared_suffixes: tuple[str, ...] = ()
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file."""
        return documents(_records(path), reading, _SHAPES.get(self.name))

    def rows(self, path: Path, _reading: Reading) -> Iterator[Record]:
        """The records, whatever their shape."""
        return (record for _, _, record in _records(path))


class Json(Jsonl):
    """The records of JSON lines as one value.

    A list of records, one record, records under their ids, columns under their names, or any of
    these under the only key of an object.
    """

    name = "json"
    suffixes: tuple[str, ...] = ()
    shared_suffixes: tuple[str, ...] = (".json",)


class LabelStudio(Json):
    """Tasks of Label Studio's JSON export; labels, choices or pairwise preferences, of HTML too."""

    name = "label-studio"


class Doccano(Json):
    """doccano's exports: ``label`` with labels or ``[start, end, type]``, ``entities``, or
    ``annotations`` with numbers of labels."""

    name = "doccano"
    shared_suffixes: tuple[str, ...] = (".json", *_LINES)


class Prodigy(Json):
    """Prodigy's examples that were accepted: ``spans``, a ``label``, or options."""

    name = "prodigy"
    shared_suffixes: tuple[str, ...] = (".json", *_LINES)


def looks_like_records(path: Path, reading: Reading) -> str | None:
    """The format of a JSON file whose first record has a text: its tool's, or ``json``."""
    record = next((r for _, _, r in _records(path)), {})
    shape = record_shape(record, reading.columns)
    return None if shape is None else shape.name if shape.name == "label-studio" else "json"


def _records(path: Path) -> Iterator[tuple[str, str, Record]]:
    """Place, id and value of each record; those of JSON lines one after the other."""
    if path.suffix.lower() not in _LINES or _goes_on(path):
        yield from _of_values(path)
        return
    count = 0
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        where, count = f"{path.name}:{number}", count + 1
        row = parse_json(line, where)
        if not isinstance(row, dict):
            raise DataError("not a JSON object", where=where, fix="write one object a line")
        yield where, f"{path.stem}-{count}", row


def _goes_on(path: Path) -> bool:
    """Whether the first value goes on behind its line's end, or is a list of records."""
    line = next((line.strip() for _, line in numbered_lines(path) if line.strip()), "")
    if line[:1] not in ("{", "["):
        return False
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return error.pos >= len(line)
    except (RecursionError, ValueError):
        return False
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _of_values(path: Path) -> Iterator[tuple[str, str, Record]]:
    values = _values(path)
    rows = _rows(values[0]) if len(values) == 1 else enumerate(values, 1)
    for key, row in rows:
        where = f"{path.name}: record {key if isinstance(key, int) else 'by id'}"
        if not isinstance(row, dict):
            raise DataError("the record is not an object", where=where)
        id_ = f"{path.stem}-{key}" if isinstance(key, int) else key
        yield where, id_, row


def _values(path: Path) -> list[Any]:
    """The values of a file, one behind the other."""
    try:
        return [load_json(path)]
    except DataError as error:
        values, raw = [], path.read_bytes().decode("utf-8-sig", "replace").lstrip()
        decoder = json.JSONDecoder()
        try:
            while raw:
                value, end = decoder.raw_decode(raw)
                values.append(value)
                raw = raw[end:].lstrip(", \t\r\n")
        except (ValueError, RecursionError):
            raise error from None
        if len(values) < 2:
            raise error from None
        return values


def _rows(value: Any) -> Iterator[tuple[int | str, Any]]:
    """The records of one value, by number or by id."""
    if isinstance(value, dict):
        lists = [v for v in value.values() if isinstance(v, list) and v and _is_objects(v)]
        if len(lists) == 1 and not any(k in value for k in ("text", "passages", "tokens")):
            value = lists[0]
    if not isinstance(value, dict):
        yield from enumerate(value if isinstance(value, list) else [value], 1)
    elif value and _is_objects(value.values()) and not _is_columns(value):
        yield from value.items()
    elif _is_columns(value):
        yield from _transposed(value)
    else:
        yield 1, value


def _is_objects(values: Any) -> bool:
    return all(isinstance(v, dict) for v in values)


def _is_columns(value: Mapping[str, Any]) -> bool:
    """Whether an object holds columns, as lists of one length or by the same keys."""
    columns = list(value.values())
    if len(columns) < 2 or not columns[0]:
        return False
    if all(isinstance(c, list) for c in columns):
        return len({len(c) for c in columns}) == 1 and "text" not in columns[0]
    alike = _is_objects(columns) and all(c.keys() == columns[0].keys() for c in columns)
    # Records under their ids have the same keys as well; those of columns are numbers.
    return alike and all(k.isdecimal() for k in columns[0])


def _transposed(columns: Mapping[str, Any]) -> Iterator[tuple[int | str, Any]]:
    first = next(iter(columns.values()))
    keys = range(len(first)) if isinstance(first, list) else first
    for number, key in enumerate(keys, 1):
        yield number, {name: column[key] for name, column in columns.items()}
