"""BigBio's schema for knowledge bases: passages and entities with offsets into them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsweep.corpus._base import Reading
from medsweep.corpus.readers._json import as_list, as_object, as_whole
from medsweep.errors import DataError

_LEFT_OUT = ("events", "coreferences", "relations")


def is_bigbio(record: Mapping[str, Any]) -> bool:
    """Whether a record has passages and entities."""
    return isinstance(record.get("passages"), list) and isinstance(record.get("entities"), list)


def bigbio_parts(record: Mapping[str, Any], reading: Reading, where: str) -> dict[str, Any]:
    """The passages at their offsets, with spaces between, and the entities."""
    for key in _LEFT_OUT:
        if left_out := as_list(record.get(key), key, where):
            reading.changes[f"{key} left out"] += len(left_out)
    listed = as_list(record.get("entities"), "entities", where)
    entities = [
        _entity(as_object(e, "the entity", where), f"{where}: entity {n}")
        for n, e in enumerate(listed, 1)
    ]
    id_ = record.get("document_id")
    return {
        "id": record.get("id") if id_ in (None, "") else id_,
        "text": _text(record, where),
        "entities": entities,
    }


def _text(record: Mapping[str, Any], where: str) -> str:
    pieces: list[tuple[int, str]] = []
    for raw in as_list(record.get("passages"), "passages", where):
        passage = as_object(raw, "a passage", where)
        offsets = as_list(passage.get("offsets"), "offsets", where)
        texts = passage.get("text")
        texts = [texts] if isinstance(texts, str) else as_list(texts, "text", where)
        if len(texts) != len(offsets) or not all(isinstance(t, str) for t in texts):
            raise DataError("a passage's texts and offsets do not match", where=where)
        pieces += [(_pair(o, where)[0], t) for o, t in zip(offsets, texts, strict=True)]
    text = ""
    for start, piece in sorted(pieces):
        if start < len(text):
            raise DataError("passages overlap", where=where)
        text += " " * (start - len(text)) + piece
    return text


def _entity(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    texts = raw.get("text")
    texts = [texts] if isinstance(texts, str) else as_list(texts, "text", where)
    pieces = [_pair(o, where) for o in as_list(raw.get("offsets"), "offsets", where)]
    normalised = as_list(raw.get("normalized"), "normalized", where)
    ids = [f"{n.get('db_name')}:{n.get('db_id')}" for n in normalised if isinstance(n, dict)]
    return {
        "spans": [list(piece) for piece in pieces],
        "type": raw.get("type"),
        "text": " ".join(map(str, texts)) or None,
        "attributes": {"identifier": "|".join(ids)} if ids else None,
    }


def _pair(value: Any, where: str) -> tuple[int, int]:
    pair = as_list(value, "offsets", where)
    if len(pair) != 2:
        raise DataError("offsets are not pairs of start and end", where=where)
    return as_whole(pair[0], "start", where), as_whole(pair[1], "end", where)
