"""PubAnnotation's JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from medsweep.corpus._base import Changes, Document, Reading, Span
from medsweep.corpus.readers._anchor import Mention, anchored
from medsweep.corpus.readers._fields import ATTRIBUTES, as_name, as_value, make_document
from medsweep.corpus.readers._json import as_list, as_object, as_whole, load_json
from medsweep.errors import DataError

# What documents hold beside text and denotations, and what it is called in reports.
_LEFT_OUT = {
    "relations": "relations left out",
    "blocks": "blocks left out",
    "tracks": "tracks of other projects left out",
}

# What is said of denotations, and the key that has the denotation's id.
_SAID = {"attributes": "subj", "modifications": "obj"}


class Pubannotation:
    """``{"text", "denotations": [{"span": {"begin", "end"}, "obj"}]}``, one or an array of them.

    A ``span`` that is a list is a discontinuous mention. ``attributes`` of denotations are kept,
    of several of one ``pred`` the first, and so are ``modifications``, as ``true``. Ids are made of
    ``sourcedb``, ``sourceid`` and ``divid``. Without ``denotations`` a document is unannotated.
    """

    name = "pubannotation"
    suffixes: tuple[str, ...] = ()
    shared_suffixes: tuple[str, ...] = (".json",)
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file, which is read as a whole."""
        loaded = load_json(path)
        documents = loaded if isinstance(loaded, list) else [loaded]
        for number, value in enumerate(documents, 1):
            where = f"{path.name}: document {number}"
            raw = as_object(value, "the document", where)
            document = make_document(
                id=_id(raw) or f"{path.stem}-{number}",
                text=raw.get("text"),
                label=None,
                entities=None,
                group=None,
                where=where,
                changes=reading.changes,
            )
            yield replace(document, spans=_spans(raw, document.text, where, reading.changes))


def _id(raw: Mapping[str, Any]) -> str | None:
    """``PubMed-123-0``; several databases and divisions may share a number."""
    if raw.get("sourceid") is None:
        return None
    parts = [raw.get(k) for k in ("sourcedb", "sourceid", "divid")]
    return "-".join(str(p) for p in parts if isinstance(p, str | int))


def _spans(
    raw: Mapping[str, Any], text: str, where: str, changes: Changes
) -> tuple[Span, ...] | None:
    for key, change in _LEFT_OUT.items():
        if left_out := as_list(raw.get(key), key, where):
            changes[change] += len(left_out)
    denotations = as_list(raw.get("denotations"), "denotations", where)
    mentions = [_mention(d, f"{where}, denotation {n}") for n, d in enumerate(denotations, 1)]
    ids = [as_name(d.get("id"), "id", m.where) for d, m in zip(denotations, mentions, strict=True)]
    fields = _fields(raw, Counter(filter(None, ids)), where, changes)
    if raw.get("denotations") is None:
        return None
    mentions = [
        replace(m, attributes=tuple(sorted(fields.get(i or "", {}).items())))
        for i, m in zip(ids, mentions, strict=True)
    ]
    return tuple(anchored(text, mentions, changes, (0, len(text))))


def _fields(
    raw: Mapping[str, Any], ids: Counter[str], where: str, changes: Changes
) -> dict[str, dict[str, str]]:
    """Fields and values by denotation; those of relations, and what has no value, count."""
    found: dict[str, dict[str, str]] = {}
    for key, of in _SAID.items():
        for number, item in enumerate(as_list(raw.get(key), key, where), 1):
            what = key.removesuffix("s")
            place = f"{where}, {what} {number}"
            said = as_object(item, f"the {what}", place)
            id_ = as_name(said.get(of), of, place) or ""
            field = as_name(said.get("pred"), "pred", place)
            value = "true" if key == "modifications" else _value(said.get("obj"), place)
            if ids[id_] > 1:
                raise DataError(
                    f"its {of} is the id of {ids[id_]} denotations",
                    where=place,
                    fix="give every denotation its own id",
                )
            fields = found.setdefault(id_, {})
            if id_ not in ids or field is None or value is None or field in fields:
                changes[ATTRIBUTES] += 1
            else:
                fields[field] = value
    return found


def _value(obj: object, where: str) -> str | None:
    if isinstance(obj, list | dict):
        raise DataError("obj is neither a string, a number nor a truth value", where=where)
    return as_value(obj)


def _mention(raw: Any, where: str) -> Mention:
    denotation = as_object(raw, "the denotation", where)
    type_ = as_name(denotation.get("obj"), "obj", where)
    if type_ is None:
        raise DataError("the denotation has no obj", where=where)
    span = denotation.get("span")
    pieces = sorted(_piece(s, where) for s in (span if isinstance(span, list) else [span]))
    return Mention(type_, tuple(p for p in pieces if p[0] < p[1]), None, where)


def _piece(value: Any, where: str) -> tuple[int, int]:
    piece = as_object(value, "the span", where)
    begin, end = (as_whole(piece.get(k), k, where) for k in ("begin", "end"))
    if begin > end:
        raise DataError(f"begin {begin} lies behind end {end}", where=where)
    return begin, end


def looks_like_pubannotation(start: bytes) -> bool:
    """Whether JSON that begins so is PubAnnotation's."""
    return b'"denotations"' in start and b'"text"' in start
