"""Parts of a document as tables and JSON hold them, checked one by one."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from medsweep.corpus._base import Document, Span
from medsweep.corpus.readers._anchor import Mention, anchored
from medsweep.errors import DataError

# A name longer than this is a text in the wrong column, and names are shown where texts are not.
LONGEST_NAME = 100

ATTRIBUTES = "attributes left out"


def parse_json(raw: str, where: str) -> Any:
    """The value of ``raw``, an object's keys unique."""
    try:
        return json.loads(raw, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        problem = f"not JSON ({line}column {error.colno})"
    except _RepeatedKeyError:
        problem = "an object has a key twice"
    except RecursionError:
        problem = "JSON nested too deep"
    except ValueError:
        problem = "JSON with a number out of range"
    raise DataError(problem, where=where, fix="mend this line") from None


class _RepeatedKeyError(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _RepeatedKeyError
    return made


def make_document(
    *,
    id: object,
    text: object,
    label: object,
    entities: object,
    group: object,
    where: str,
    changes: Counter[str],
    labels: object = None,
) -> Document:
    """A document of raw values; ``id`` may not be None. What is left out counts in ``changes``.

    Raises:
        DataError: a part has the wrong form or a span lies outside the text.
    """
    if not isinstance(text, str):
        problem = "the document has no text" if text is None else "the text is not a string"
        raise DataError(problem, where=where, fix="name the text's column under columns")
    name = as_name(id, "id", where)
    if name is None:
        raise DataError("the id is empty", where=where, fix="give the document an id")
    return Document(
        id=name,
        text=text,
        label=as_name(label, "label", where),
        spans=None if entities is None else parse_entities(entities, text, where, changes),
        group=as_name(group, "group", where),
        labels=parse_labels(labels, where, changes),
        source=where,
    )


def as_name(value: object, part: str, where: str) -> str | None:
    """A label, an id, a group or a type: a short line of text; None where empty."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise DataError(f"the {part} is neither a string nor a whole number", where=where)
    value = value.strip()
    if len(value) > LONGEST_NAME or not value.isprintable():
        raise DataError(
            f"the {part} has {len(value)} characters or a line break in it",
            where=where,
            fix=f"name the column of the {part} under columns",
        )
    return value or None


def parse_labels(value: object, where: str, changes: Counter[str]) -> tuple[str, ...] | None:
    """Labels of a list, or of a table's cell: names with ``;`` between, or a JSON list.

    None where there is nothing; ``[]`` says that no label applies.
    """
    if isinstance(value, str):
        if not value.strip():
            return None
        json_list = value.lstrip().startswith("[")
        value = parse_json(value, f"{where}: labels") if json_list else value.split(";")
    elif isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if value is None:
        return None
    if not isinstance(value, list):
        raise DataError("labels is not a list", where=where, fix='write ["a", "b"], or a;b')
    names = Counter(as_name(name, "labels entry", where) for name in value)
    if empty := names.pop(None, 0):
        changes["empty labels left out"] += empty
    if repeated := names.total() - len(names):
        changes["labels given twice joined"] += repeated
    return tuple(sorted(name for name in names if name is not None))


def parse_entities(value: object, text: str, where: str, changes: Counter[str]) -> tuple[Span, ...]:
    """Spans of a list of ``{"start","end","type"}`` or ``{"spans":[[s,e],…],"type"}``.

    Each may have ``"attributes": {field: value}``, and what it says as ``"text"`` or ``"surface"``:
    where that does not stand there, it is moved or left out as :func:`anchored` does.
    """
    if not isinstance(value, list):
        raise DataError("entities is not a list", where=where)
    mentions = [_mention(v, text, f"{where}: entity {n}", changes) for n, v in enumerate(value, 1)]
    return tuple(anchored(text, mentions, changes, (0, len(text))))


def _mention(value: object, text: str, where: str, changes: Counter[str]) -> Mention:
    if not isinstance(value, dict):
        raise DataError("not an object", where=where, fix='write {"start", "end", "type"}')
    type_ = as_name(value.get("type"), "type", where)
    if type_ is None:
        raise DataError("no type", where=where, fix='write {"start", "end", "type"}')
    pieces = value.get("spans")
    if pieces is None:
        pieces = [[value.get("start"), value.get("end")]]
    if not isinstance(pieces, list) or not pieces:
        raise DataError("spans is not a list of [start, end]", where=where)
    surface = _surface(value, where)
    # Beside its words a mention may be found again.
    length = len(text) if surface is None else None
    fragments = tuple(_fragment(p, length, where) for p in pieces)
    if any(a[1] > b[0] for a, b in itertools.pairwise(fragments)):
        raise DataError("fragments overlap or are out of order", where=where)
    said = value.get("attributes")
    if said is not None and not isinstance(said, dict):
        raise DataError("attributes is not an object", where=where, fix='write {"dose": "5 mg"}')
    attributes = as_attributes(said or {}, "field", where, changes)
    return Mention(type_, fragments, surface, where, attributes)


def _surface(value: dict[str, Any], where: str) -> str | None:
    """What the mention says; None where it does not say."""
    found = next((value[k] for k in ("text", "surface") if value.get(k) is not None), None)
    if found is not None and not isinstance(found, str):
        raise DataError("the entity's text is not a string", where=where)
    return found if found and found.strip() else None


def as_attributes(
    values: Mapping[str, Any], what: str, where: str, changes: Counter[str]
) -> tuple[tuple[str, str], ...]:
    """The fields that have a value, sorted; of several of one name the first.

    Lists and objects are left out and counted; nulls, of which parquet's structures are full, are
    no value. ``what`` is what a field is called in messages.
    """
    found: dict[str, str] = {}
    for name, raw in values.items():
        value = as_value(raw)
        if value is None and not isinstance(raw, list | dict):
            continue
        field = as_name(name, what, where)
        if field is None or value is None or field in found:
            changes[ATTRIBUTES] += 1
        else:
            found[field] = value
    return tuple(sorted(found.items()))


def as_value(value: object) -> str | None:
    """An attribute's value as words with single spaces; None where there is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)) or value is None:
        return None
    return " ".join(str(value).split()) or None


def _fragment(value: object, length: int | None, where: str) -> tuple[int, int]:
    """Start and end; ``length`` None: they may lie outside of the text."""
    if not (isinstance(value, list) and len(value) == 2 and all(type(v) is int for v in value)):
        raise DataError("start and end are not whole numbers", where=where)
    start, end = value
    if start >= end or (length is not None and not 0 <= start < end <= length):
        of = "" if length is None else f" of {length} characters"
        raise DataError(
            f"start {start} and end {end} do not lie in a text{of}",
            where=where,
            fix="count code points from 0, the end behind the last one",
        )
    return start, end


def dump_entities(spans: tuple[Span, ...]) -> list[dict[str, Any]]:
    """What :func:`parse_entities` reads."""
    return [
        {
            **(
                {"spans": [list(f) for f in s.fragments]}
                if s.fragments
                else {"start": s.start, "end": s.end}
            ),
            "type": s.type,
            **({"attributes": dict(s.attributes)} if s.attributes else {}),
        }
        for s in spans
    ]


def shown(names: list[str]) -> str:
    """Column names for a message; cells of a file without header may be text and are left out."""
    known = [n for n in names if re.fullmatch(r"[^\W\d][\w.-]{0,39}", n)]
    return f"{len(names)} columns" + (f": {', '.join(known[:20])}" if known == names else "")
