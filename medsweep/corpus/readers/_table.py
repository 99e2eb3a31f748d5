"""Rows of typed tables: what parquet, spreadsheets and data sets have in common."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from medsweep.corpus._base import Columns, Document
from medsweep.corpus.readers._fields import make_document, parse_json
from medsweep.errors import DataError

WHOLE = "labels and ids such as 1.0 read as 1"


def row_document(
    row: Mapping[str, object], columns: Columns, where: str, id_: str, changes: Counter[str]
) -> Document:
    """The document of a row; ``id_`` where the row has none.

    ``entities`` is JSON, or a list of mappings; ``labels`` a list, or as in CSV. An empty text is
    a missing value.

    Raises:
        DataError: a part has the wrong form or a span lies outside the text.
    """
    own_id = _name(row.get(columns.id), changes)
    return make_document(
        id=id_ if own_id in (None, "") else own_id,
        text=row.get(columns.text),
        label=_name(row.get(columns.label), changes),
        labels=_name(row.get(columns.labels), changes),
        entities=_entities(row.get(columns.entities), f"{where}: {columns.entities}"),
        group=_name(row.get(columns.group), changes),
        where=where,
        changes=changes,
    )


def _name(value: object, changes: Counter[str]) -> object:
    """Tables turn whole numbers into fractions where a column has gaps."""
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if value.is_integer():
            changes[WHOLE] += 1
            return int(value)
    return value


def _entities(value: object, where: str) -> object:
    if isinstance(value, str):
        return parse_json(value, where) if value.strip() else None
    if value is None or isinstance(value, list):
        return value
    raise DataError("entities is neither JSON nor a list", where=where)
