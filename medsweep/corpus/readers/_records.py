"""Records, as JSON, parquet and data sets hold them, in the shapes that tools write.

A shape turns a record of its tool into parts by medsweep's own names, which one place then checks.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from medsweep.corpus._base import Changes, Columns, Document, Reading
from medsweep.corpus.readers._bigbio import bigbio_parts, is_bigbio
from medsweep.corpus.readers._doccano import old_parts
from medsweep.corpus.readers._fields import make_document, parse_json
from medsweep.corpus.readers._label_studio import is_task, task_parts
from medsweep.corpus.readers._prodigy import example_parts, is_example
from medsweep.corpus.readers._tokens import has_tokens, token_parts
from medsweep.errors import DataError

# So many records tell whether a list of labels holds one a document or several.
HEAD = 1000

Record = Mapping[str, Any]
# The parts of a record; None where it is no document.
Parts = Callable[[Record, Reading, str], "dict[str, Any] | None"]


@dataclass(frozen=True, slots=True)
class RecordShape:
    """How a tool writes records: ``name`` is a format's, ``fits`` looks at one record."""

    name: str
    fits: Callable[[Record, Columns], bool]
    parts: Parts


def own_parts(record: Record, reading: Reading, where: str) -> dict[str, Any]:
    """Parts under the columns' names; a label that is a list may hold mentions, as doccano's."""
    columns = reading.columns
    names = {part: getattr(columns, part) for part in Columns.__dataclass_fields__}
    parts = {part: record.get(name) for part, name in names.items()}
    if columns.split == "split" and parts["split"] is None:
        parts["split"] = record.get("fold")
    if columns.text not in record and isinstance(record.get("data"), str):
        parts["text"] = record["data"]
    elif columns.text not in record:
        raise DataError(
            f"the document has no {columns.text!r}",
            where=where,
            fix="add it, or name the text's key under columns",
        )
    for part in ("label", "labels"):
        value = parts[part]
        listed = isinstance(value, list) and bool(value) and parts["entities"] is None
        if listed and all(isinstance(v, list | dict) for v in value or ()):
            parts["entities"], parts[part] = value, None
            parts["of_label"] = True
    if not any(parts[part] for part in ("label", "labels", "entities")):
        parts |= old_parts(record, reading, where)
    if isinstance(parts.get("label"), list):
        parts["choices"] = parts.pop("label")
    for key in ("relations", "events"):
        if isinstance(record.get(key), list) and record[key]:
            reading.changes[f"{key} left out"] += len(record[key])
    return parts


def _is_own(record: Record, columns: Columns) -> bool:
    return isinstance(record.get(columns.text, record.get("data")), str)


SHAPES = (
    RecordShape("label-studio", lambda record, _: is_task(record), task_parts),
    RecordShape("prodigy", is_example, example_parts),
    RecordShape("bigbio", lambda record, _: is_bigbio(record), bigbio_parts),
    RecordShape("tokens", has_tokens, token_parts),
    RecordShape("doccano", _is_own, own_parts),
)
OWN = SHAPES[-1]


def record_shape(record: Record, columns: Columns) -> RecordShape | None:
    """The first shape that a record fits; None where it holds no text."""
    return next((shape for shape in SHAPES if shape.fits(record, columns)), None)


def documents(
    records: Iterable[tuple[str, str, Record]], reading: Reading, shape: RecordShape | None = None
) -> Iterator[Document]:
    """The documents of records, each with its place and the id that it has where it tells none.

    Without ``shape`` the first record tells it. Whether a list of labels is one label a document
    or any number of them is told by the first ``HEAD`` records that have gold.

    Raises:
        DataError: a record does not have the shape of the first, or a part the wrong form.
    """
    parts = _parts(iter(records), reading, shape)
    head = list(islice(parts, HEAD))
    # An empty list of labels is one of mentions where others are.
    of_mentions = any(found.pop("of_label", False) for _, _, found in head)
    lists = [found["choices"] for _, _, found in head if found.get("choices") is not None]
    single = all(isinstance(value, list) and len(value) == 1 for value in lists)
    for where, id_, found in chain(head, parts):
        choices = found.pop("choices", None)
        if of_mentions and choices == []:
            found["entities"], choices = [], None
        if choices is not None and not (single and isinstance(choices, list)):
            found["labels"] = choices
        elif choices is not None:
            if len(choices) != 1:
                raise DataError(
                    f"{len(choices)} labels, the documents before have one each",
                    where=where,
                    fix=f"name the column as labels: --column labels={reading.columns.label}",
                )
            found["label"] = choices[0]
        yield _document(found, where, id_, reading.changes)


def _parts(
    records: Iterator[tuple[str, str, Record]], reading: Reading, shape: RecordShape | None
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for where, id_, record in records:
        shape = shape or record_shape(record, reading.columns) or OWN
        found = shape.parts(record, reading, where)
        if found is not None:
            yield where, id_, found


def _document(parts: Mapping[str, Any], where: str, id_: str, changes: Changes) -> Document:
    own_id = plain(parts.get("id"))
    return make_document(
        id=id_ if own_id in (None, "") and not isinstance(parts.get("id"), str) else own_id,
        text=parts.get("text"),
        label=plain(parts.get("label")),
        labels=plain(parts.get("labels")),
        entities=_entities(parts.get("entities"), where),
        group=plain(parts.get("group")),
        split=parts.get("split"),
        where=where,
        changes=changes,
    )


def plain(value: object) -> object:
    """A value as a name may be: dates are names by how they are written."""
    if isinstance(value, datetime.date):
        midnight = not isinstance(value, datetime.datetime) or value.time() == datetime.time()
        return value.isoformat()[:10] if midnight else value.isoformat()
    return value


def _entities(value: object, where: str) -> object:
    if isinstance(value, str):
        return parse_json(value, f"{where}: entities") if value.strip() else None
    return value
