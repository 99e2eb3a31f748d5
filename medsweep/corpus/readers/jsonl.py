"""JSON lines: one document an object, one object a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._fields import make_document, parse_json
from medsweep.corpus.readers._lines import numbered_lines
from medsweep.errors import DataError


class Jsonl:
    """``{"id","text"}`` with ``"label"``, ``"labels":[…]`` or ``"entities":[…]``; ``"group"``.

    An entity that has its own ``"text"`` is put where that stands; see ``parse_entities``.
    """

    name = "jsonl"
    suffixes: tuple[str, ...] = (".jsonl", ".ndjson")
    shared_suffixes: tuple[str, ...] = ()
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file."""
        columns, count = reading.columns, 0
        for number, line in numbered_lines(path):
            if not line.strip():
                continue
            where, count = f"{path.name}:{number}", count + 1
            row = parse_json(line, where)
            if not isinstance(row, dict):
                raise DataError("not a JSON object", where=where, fix="write one object a line")
            if columns.text not in row:
                raise DataError(
                    f"the document has no {columns.text!r}",
                    where=where,
                    fix="add it, or name the text's key under columns",
                )
            id_ = row.get(columns.id)
            yield make_document(
                id=f"{path.stem}-{count}" if id_ is None else id_,
                text=row[columns.text],
                label=row.get(columns.label),
                labels=row.get(columns.labels),
                entities=row.get(columns.entities),
                group=row.get(columns.group),
                where=where,
                changes=reading.changes,
            )
