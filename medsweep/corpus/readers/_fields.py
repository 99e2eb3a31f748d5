"""Parts of a document as tables and JSON hold them, checked one by one."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from medsweep.corpus._base import Changes, Document, Span
from medsweep.corpus.readers._anchor import Mention, anchored
from medsweep.corpus.values import as_value as as_value
from medsweep.errors import DataError
from medsweep.stats.values import label_text

# A name longer than this is a text in the wrong column, and names are shown where texts are not.
LONGEST_NAME = 100

ATTRIBUTES = "attributes left out"
WHOLE = "labels and ids such as 1.0 read as 1"

# Soft hyphen, zero width space, word joiner, byte order mark: of no language's spelling.
_UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff]")
# White space that is not the end of a line: no-break space, tab and the like.
_SPACES = re.compile(r"[^\S\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
# What tools call the parts of a mention.
_TYPES = ("type", "label", "tag", "entity_group")
_STARTS, _ENDS = ("start", "start_offset", "begin"), ("end", "end_offset")
_SURFACES = ("text", "surface")
# What tools note beside them that says nothing of the mention.
_BOOKKEEPING = ("id", "token_start", "token_end", "source", "input_hash", "score", "word")
_OWN = {*_TYPES, *_STARTS, *_ENDS, *_SURFACES, *_BOOKKEEPING, "spans", "attributes", "labels"}


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
    changes: Changes,
    labels: object = None,
    split: object = None,
) -> Document:
    """A document of raw values; ``id`` may not be None. What is left out counts in ``changes``.

    Raises:
        DataError: a part has the wrong form or a span lies outside the text.
    """
    if not isinstance(text, str):
        problem = "the document has no text" if text is None else "the text is not a string"
        raise DataError(problem, where=where, fix="name the text's column under columns")
    name = _counted(id, "id", where, changes)
    if name is None:
        raise DataError("the id is empty", where=where, fix="give the document an id")
    return Document(
        id=name,
        text=text,
        label=_counted(label, "label", where, changes),
        spans=None if entities is None else parse_entities(entities, text, where, changes),
        group=_counted(group, "group", where, changes),
        labels=parse_labels(labels, where, changes),
        split=as_name(split, "split", where),
        source=where,
    )


def _counted(value: object, part: str, where: str, changes: Changes) -> str | None:
    """A name; a whole number that is written as a fraction counts in ``changes``."""
    name = as_name(value, part, where)
    if name is not None and name.lstrip("+-").isdigit() and "." in str(value):
        changes[WHOLE] += 1
    return name


def as_name(value: object, part: str, where: str) -> str | None:
    """A label, an id, a group or a type: a short line of text; None where empty.

    It is in the form in which the verdict compares labels, :func:`label_text`'s; besides, its white
    space is spaces, and marks that are not seen are left out: one class has one name whatever
    wrote it.
    """
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        value = str(int(value) if value.is_integer() else value)
    if isinstance(value, int):
        value = str(value)
    if value is None or value != value:
        return None
    if not isinstance(value, str):
        raise DataError(f"the {part} is neither a string nor a number", where=where)
    if not value.isascii() or not value.isprintable():
        value = _SPACES.sub(" ", _UNSEEN.sub("", value))
    value = label_text(value)
    if len(value) > LONGEST_NAME:
        problem = f"the {part} has {len(value)} characters"
    elif odd := next((c for c in value if not c.isprintable()), None):
        kind = "a line break" if odd in "\r\n" else f"the character U+{ord(odd):04X}"
        problem = f"the {part} has {len(value)} characters and {kind} in it"
    else:
        return value or None
    raise DataError(
        problem,
        where=where,
        fix=f"name the column of the {part} under columns, or mend the {part}",
    )


def parse_labels(value: object, where: str, changes: Changes) -> tuple[str, ...] | None:
    """Labels of a list, or of a table's cell: names with ``;`` between, or a JSON list.

    None where there is nothing; ``[]`` says that no label applies.
    """
    if isinstance(value, str):
        if not value.strip():
            return None
        json_list = value.lstrip().startswith("[")
        value = parse_json(value, f"{where}: labels") if json_list else value.split(";")
    if value is None or value != value:
        return None
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        value = [value]
    if not isinstance(value, list):
        raise DataError("labels is not a list", where=where, fix='write ["a", "b"], or a;b')
    names = Counter(_counted(name, "labels entry", where, changes) for name in value)
    if empty := names.pop(None, 0):
        changes["empty labels left out"] += empty
    if repeated := names.total() - len(names):
        changes["labels given twice joined"] += repeated
    return tuple(sorted(name for name in names if name is not None))


def parse_entities(value: object, text: str, where: str, changes: Changes) -> tuple[Span, ...]:
    """Spans of a list of ``{"start","end","type"}`` or ``{"spans":[[s,e],…],"type"}``.

    ``label`` and ``tag`` may stand for ``type``, ``start_offset`` and ``end_offset`` for the
    offsets, and ``[start, end, type]`` for all. Each may have ``"attributes": {field: value}``, and
    what else it has a value of is an attribute, too. What it says is ``"text"`` or ``"surface"``:
    where that does not stand there, it is moved or left out as :func:`anchored` does.
    """
    if not isinstance(value, list):
        raise DataError("entities is not a list", where=where)
    mentions = [_mention(v, text, f"{where}: entity {n}", changes) for n, v in enumerate(value, 1)]
    return tuple(anchored(text, mentions, changes, (0, len(text))))


def _mention(value: object, text: str, where: str, changes: Changes) -> Mention:
    if isinstance(value, list) and len(value) == 3 and isinstance(value[2], str):
        value = dict(zip(("start", "end", "type"), value, strict=True))
    if not isinstance(value, dict):
        raise DataError("not an object", where=where, fix='write {"start", "end", "type"}')
    type_ = as_name(_type(value), "type", where)
    if type_ is None:
        raise DataError("no type", where=where, fix='write {"start", "end", "type"}')
    pieces = value.get("spans")
    if pieces is None:
        pieces = [[_first(value, _STARTS), _first(value, _ENDS)]]
    if not isinstance(pieces, list) or not pieces:
        raise DataError("spans is not a list of [start, end]", where=where)
    surface = _surface(value, where)
    fragments = tuple(_fragment(p, len(text), where) for p in pieces)
    attributes = value.get("attributes")
    if attributes is not None and not isinstance(attributes, dict):
        raise DataError("attributes is not an object", where=where, fix='write {"dose": "5 mg"}')
    beside = {k: v for k, v in value.items() if k not in _OWN and not k.startswith("_")}
    named = as_attributes({**(attributes or {}), **beside}, "field", where, changes)
    return Mention(type_, fragments, surface, where, named)


def _first(value: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((value[k] for k in keys if value.get(k) is not None), None)


def _type(value: Mapping[str, Any]) -> Any:
    """The type under any of its names, or the only one of a list of labels."""
    labels = value.get("labels")
    if isinstance(labels, list) and len(labels) == 1:
        return labels[0]
    return _first(value, _TYPES)


def _surface(value: dict[str, Any], where: str) -> str | None:
    """What the mention says; None where it does not say."""
    found = _first(value, _SURFACES)
    if found is not None and not isinstance(found, str):
        raise DataError("the entity's text is not a string", where=where)
    return found if found and found.strip() else None


def as_attributes(
    values: Mapping[str, Any], what: str, where: str, changes: Changes
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


def _fragment(value: object, length: int, where: str) -> tuple[int, int]:
    """Start and end, which may lie outside of the text: the mention is then misplaced."""
    if isinstance(value, list) and all(type(v) is float and v.is_integer() for v in value):
        value = [int(v) for v in value]
    if not (isinstance(value, list) and len(value) == 2 and all(type(v) is int for v in value)):
        raise DataError("start and end are not whole numbers", where=where)
    start, end = value
    if start >= end:
        raise DataError(
            f"start {start} and end {end} do not lie in a text of {length} characters",
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
