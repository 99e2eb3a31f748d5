"""What models wrote, as labels and spans. Anything that is no answer gives None."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medsweep.corpus import Span
from medsweep.corpus.values import as_value

_DECODER = json.JSONDecoder()


def read_label(answer: str, names: Mapping[str, str]) -> str | None:
    """The label in ``{"label": name}``, or in an answer that is a name and nothing else.

    Args:
        answer: as written.
        names: what labels are called, by label; case and white space do not matter.
    """
    labels = _by_name(names)
    for value in _json(answer, "{"):
        if isinstance(value, dict) and "label" in value:
            return labels.get(_plain(str(value["label"])))
    return labels.get(_plain(answer.strip(" \t\r\n\"'`.*")))


def read_labels(answer: str, names: Mapping[str, str]) -> tuple[str, ...] | None:
    """The labels in ``{"labels": [name, …]}``, sorted; unknown ones are dropped."""
    labels = _by_name(names)
    for value in _json(answer, "{"):
        if isinstance(value, dict) and isinstance(value.get("labels"), list):
            named = {labels.get(_plain(str(name))) for name in value["labels"]}
            return tuple(sorted(label for label in named if label is not None))
    return None


_Attributes = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AnchoredSpans:
    """Mentions that were written, found in a text.

    Attributes:
        spans: sorted.
        lost: mentions without a place: the text has them not, or not as often, or their type is
            unknown.
    """

    spans: tuple[Span, ...]
    lost: int


def anchor_spans(
    answer: str, text: str, names: Mapping[str, str], attributes: Sequence[str] = ()
) -> AnchoredSpans | None:
    """Mentions that are listed in the text's order, one entry each; None where that is no list.

    As the prompt asks and as tuned models are taught, every repetition is listed: the n-th entry
    of a mention is its n-th place, and of several places that is taken which follows the entry
    before. Places as written and of whole words go first, then any case and white space, then
    parts of words. One rule for every model, so that none is ahead by how it is read.
    ``attributes`` are kept of ``"attributes": {field: value}``.
    """
    mentions = _mentions(answer, names, attributes)
    if mentions is None:
        return None
    spans: list[Span] = []
    lost = previous = 0
    for mention, kind, values in mentions:
        place = _next_place(text, mention, spans, previous) if mention and kind else None
        if place is None or kind is None:
            lost += 1
            continue
        previous = place[0]
        spans.append(Span(*place, kind, attributes=values))
    return AnchoredSpans(tuple(sorted(spans)), lost)


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


def _mentions(
    answer: str, names: Mapping[str, str], attributes: Sequence[str]
) -> list[tuple[str, str | None, _Attributes]] | None:
    """(text, label, attributes) of the first list of objects; an unknown type is None."""
    labels = _by_name(names)
    fields = {_plain(field): field for field in attributes}
    for value in _json(answer, "["):
        if isinstance(value, list) and all(isinstance(v, dict) for v in value):
            return [
                (
                    str(v.get("text", "")).strip(),
                    labels.get(_plain(str(v.get("type", "")))),
                    _values(v.get("attributes"), fields),
                )
                for v in value
            ]
    return None


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


def _json(answer: str, opening: str) -> Iterator[Any]:
    """Every JSON value that begins with ``opening``: models like to talk around it."""
    for match in re.finditer(re.escape(opening), answer):
        try:
            yield _DECODER.raw_decode(answer, match.start())[0]
        except (ValueError, RecursionError):
            continue


def _by_name(names: Mapping[str, str]) -> dict[str, str]:
    """Labels by what they are called, whatever its case and white space."""
    return {_plain(name): label for label, name in names.items()}


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
