"""What models wrote, as labels and spans. Anything that is no answer gives None."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from medsweep.corpus import Span
from medsweep.corpus.values import as_value
from medsweep.prompting.loose_json import (
    closed_objects,
    json_values,
    python_as_json,
    without_thoughts,
)

# What models call the parts of an answer instead of what they are asked to, the likeliest first.
_LABEL_KEYS = ("label", "category", "class", "answer", "labels")
_LABELS_KEYS = ("labels", "categories", "classes", "label", "category", "answer")
_TEXT_KEYS = ("text", "mention", "span", "word", "entity", "name")
_TYPE_KEYS = ("type", "label", "category", "entity_type", "class", "entity")
# "Category: never", on a line of its own.
_SAID = re.compile(
    r"^\W*(?:the\s+)?(?:label|category|class|answer)\W*(?:\bis\b)?\s*:?\s*(.+)$",
    re.IGNORECASE | re.MULTILINE,
)
_AROUND = " \t\r\n\"'`.*[]{}"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ReadAnswer(Generic[Value]):
    """What an answer says.

    Attributes:
        value: a label, or a set of them.
        salvaged: whether it was not written as asked: other keys or quotes, cut off, or in words.
    """

    value: Value
    salvaged: bool = False


def read_label(answer: str, names: Mapping[str, str]) -> ReadAnswer[str] | None:
    """The label in ``{"label": name}``, or in an answer that is a name and nothing else.

    Read as a person would: also of other keys, in single quotes, and of ``Category: name``. What a
    model thought before it answered does not count.

    Args:
        answer: as written.
        names: what labels are called, by label; case and white space do not matter.
    """
    answer, labels = without_thoughts(answer), _by_name(names)
    for value in json_values(answer, "{"):
        if isinstance(value, dict) and "label" in value:
            found = labels.get(_plain(str(value["label"])))
            return None if found is None else ReadAnswer(found)
    alone = labels.get(_plain(answer.strip(_AROUND)))
    if alone is not None:
        return ReadAnswer(alone)
    said = (match[1].strip(_AROUND) for match in _SAID.finditer(answer))
    for name in (*_named_labels(answer), *said):
        if (label := labels.get(_plain(name))) is not None:
            return ReadAnswer(label, salvaged=True)
    return None


def read_labels(answer: str, names: Mapping[str, str]) -> ReadAnswer[tuple[str, ...]] | None:
    """The labels in ``{"labels": [name, …]}``, sorted; unknown ones are dropped.

    Read as a person would: also of other keys, in single quotes, of a list alone, and of one name.
    """
    answer, labels = without_thoughts(answer), _by_name(names)

    def known(values: Sequence[Any]) -> tuple[str, ...]:
        named = {labels.get(_plain(str(name))) for name in values}
        return tuple(sorted(label for label in named if label is not None))

    for value in json_values(answer, "{"):
        if isinstance(value, dict) and isinstance(value.get("labels"), list):
            return ReadAnswer(known(value["labels"]))
    loose = python_as_json(answer)
    for value in json_values(loose, "{"):
        named = _first(value, _LABELS_KEYS) if isinstance(value, dict) else None
        if isinstance(named, str | list):
            return ReadAnswer(known([named] if isinstance(named, str) else named), salvaged=True)
    lists = [v for v in json_values(loose, "[") if all(isinstance(name, str) for name in v)]
    # An empty list before the answer says nothing; one that stands alone is the answer.
    chosen = next((v for v in lists if v), lists[0] if lists else None)
    return None if chosen is None else ReadAnswer(known(chosen), salvaged=True)


def _named_labels(answer: str) -> Iterator[str]:
    for value in json_values(python_as_json(answer), "{"):
        named = _first(value, _LABEL_KEYS) if isinstance(value, dict) else None
        if isinstance(named, list) and len(named) == 1:
            (named,) = named
        if named is not None and not isinstance(named, list | dict):
            yield str(named)


_Attributes = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AnchoredSpans:
    """Mentions that were written, found in a text.

    Attributes:
        spans: sorted.
        lost: mentions without a place: the text has them not, or not as often, or their type is
            unknown.
        salvaged: whether the list was not written as asked: other keys or quotes, or cut off.
    """

    spans: tuple[Span, ...]
    lost: int
    salvaged: bool = False


def anchor_spans(
    answer: str, text: str, names: Mapping[str, str], attributes: Sequence[str] = ()
) -> AnchoredSpans | None:
    """Mentions that are listed in the text's order, one entry each; None where that is no list.

    As the prompt asks and as tuned models are taught, every repetition is listed: the n-th entry
    of a mention is its n-th place, and of several places that is taken which follows the entry
    before. Places as written and of whole words go first, then any case and white space, then
    parts of words. One rule for every model, so that none is ahead by how it is read.
    ``attributes`` are kept of ``"attributes": {field: value}``. Of a list that was cut off the
    objects that are whole are kept.
    """
    written = _objects(without_thoughts(answer))
    if written is None:
        return None
    objects, salvaged = written
    mentions = [_mention(v, names, attributes) for v in objects]
    salvaged |= any(not {"text", "type"} <= set(v) for v in objects)
    spans: list[Span] = []
    lost = previous = 0
    for mention, kind, values in mentions:
        place = _next_place(text, mention, spans, previous) if mention and kind else None
        if place is None or kind is None:
            lost += 1
            continue
        previous = place[0]
        spans.append(Span(*place, kind, attributes=values))
    return AnchoredSpans(tuple(sorted(spans)), lost, salvaged)


def _next_place(
    text: str, mention: str, spans: Sequence[Span], previous: int
) -> tuple[int, int] | None:
    """The first place from ``previous`` on, else the first free one, else one within a span."""
    nested: list[tuple[int, int]] = []
    for places in (_places(text, mention), _within_words(text, mention)):
        unused = [p for p in places if all(p != (s.start, s.end) for s in spans)]
        free = [(a, b) for a, b in unused if all(b <= s.start or a >= s.end for s in spans)]
        if free:
            return next((p for p in free if p[0] >= previous), free[0])
        nested += unused
    return nested[0] if nested else None


def _objects(answer: str) -> tuple[list[dict[str, Any]], bool] | None:
    """The list of objects in an answer, and whether it was salvaged; None without one.

    An empty list is the answer only where no other comes.
    """
    empty, loose = False, python_as_json(answer)
    for text in (answer, loose):
        for value in json_values(text, "["):
            if isinstance(value, list) and all(isinstance(v, dict) for v in value):
                if value:
                    return value, empty or text is not answer
                empty = True
    for text in (answer, loose):
        if objects := closed_objects(text):
            return objects, True
    return ([], False) if empty else None


def _mention(
    value: Mapping[str, Any], names: Mapping[str, str], attributes: Sequence[str]
) -> tuple[str, str | None, _Attributes]:
    """(text, label, attributes) of one object; an unknown type is None."""
    fields = {_plain(field): field for field in attributes}
    keys = {_plain(str(key)): v for key, v in value.items()}
    text = next((k for k in _TEXT_KEYS if k in keys), None)
    kind = next((k for k in _TYPE_KEYS if k in keys and k != text), None)
    # Fields beside text and type say the same as within "attributes".
    own = {k: v for k, v in keys.items() if k in fields and k not in (text, kind)}
    return (
        str(keys[text]).strip() if text else "",
        _by_name(names).get(_plain(str(keys[kind]))) if kind else None,
        _values(keys.get("attributes", own), fields),
    )


def _values(value: Any, fields: Mapping[str, str]) -> _Attributes:
    """Attributes that were asked for and have a value, sorted."""
    if not isinstance(value, dict):
        return ()
    values = {fields.get(_plain(field)): as_value(v) for field, v in value.items()}
    return tuple(sorted((f, v) for f, v in values.items() if f is not None and v is not None))


def _places(text: str, mention: str) -> list[tuple[int, int]]:
    """Where a mention stands as whole words; as written if it does, else in any case."""
    before = r"(?<!\w)" if mention[0].isalnum() else ""
    after = r"(?!\w)" if mention[-1].isalnum() else ""
    pattern = before + r"\s+".join(map(re.escape, mention.split())) + after
    exact = [m.span() for m in re.finditer(pattern, text)]
    return exact or [m.span() for m in re.finditer(pattern, text, re.IGNORECASE)]


def _within_words(text: str, mention: str) -> list[tuple[int, int]]:
    """Where a mention stands in any case, parts of words included: compounds are annotated so."""
    pattern = r"\s+".join(map(re.escape, mention.split()))
    return [m.span() for m in re.finditer(pattern, text, re.IGNORECASE)]


def _first(value: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """What stands under the first of ``keys`` that there is, whatever its case."""
    plain = {_plain(str(key)): v for key, v in value.items()}
    return next((plain[k] for k in keys if k in plain), None)


def _by_name(names: Mapping[str, str]) -> dict[str, str]:
    """Labels by what they are called, whatever its case and white space."""
    return {_plain(name): label for label, name in names.items()}


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
