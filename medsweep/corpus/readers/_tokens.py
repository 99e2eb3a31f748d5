"""Lists of tokens with tags beside them, the usual form of NER data sets on the hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsweep.corpus._base import Columns, Reading
from medsweep.corpus.readers._fields import dump_entities
from medsweep.corpus.readers._tags import checked_tag, decode_tags
from medsweep.errors import DataError

JOINED = "texts made of tokens with single spaces"
TOKENS, TAGS = "tokens", "ner_tags"


def has_tokens(record: Mapping[str, Any], columns: Columns) -> bool:
    """Whether a record has tokens and tags, and no text of its own."""
    return columns.text not in record and {TOKENS, TAGS} <= record.keys()


def token_parts(record: Mapping[str, Any], reading: Reading, where: str) -> dict[str, Any]:
    """The text of tokens with single spaces between, and the mentions of their tags."""
    tokens, tags, columns = record.get(TOKENS), record.get(TAGS), reading.columns
    if (
        isinstance(tags, list)
        and any(type(t) is int for t in tags)
        and not any(isinstance(t, str) for t in tags)
    ):
        raise DataError(
            f"{TAGS} are numbers without names",
            where=where,
            fix="write the tags' names (B-TYPE, I-TYPE, O), or save the data set as parquet",
        )
    if not (
        isinstance(tokens, list)
        and isinstance(tags, list)
        and len(tokens) == len(tags)
        and all(isinstance(t, str) for t in (*tokens, *tags))
    ):
        raise DataError(f"{TOKENS} and {TAGS} are not lists of equal length", where=where)
    spans = decode_tags(tokens, [checked_tag(t, where) for t in tags], 0)
    reading.changes[JOINED] += 1
    return {
        "id": record.get(columns.id),
        "text": " ".join(tokens),
        "entities": dump_entities(tuple(spans)),
        "group": record.get(columns.group),
    }
