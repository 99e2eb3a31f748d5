"""Gold and predictions as values: when two are the same label, and how they are parsed.

Everything that reads labels goes by :func:`label_text`, or 3 and 3.0 would be two classes. Imports
nothing but the standard library, so that readers of corpora may use it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable

from medsweep.errors import DataError

_WHOLE = re.compile(r"([+-]?(?:0|[1-9][0-9]*))\.0+")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
# White space, dashes and underscores between letters or digits; a sign (ER-, -1) is none of them.
_JOINT = re.compile(r"(?<=\w)(?:[\s\u2010-\u2015\u2212-]|(?<=[^_])_(?=[^_]))+(?=\w)")


def label_text(value: object) -> str:
    """A label, entity type or id in the one form in which all are compared.

    Unicode NFC, without outer white space, whole floats as integers: pandas writes 3 as 3.0 as
    soon as one value of a column is missing. ``None`` and NaN give ``""``.

    Examples:
        >>> [label_text(v) for v in (3, 3.0, " 3.0 ", "03", "3.5", None)]
        ['3', '3', '3', '03', '3.5', '']
    """
    if value is None or value != value:
        return ""
    text = unicodedata.normalize("NFC", str(value)).strip()
    whole = _WHOLE.fullmatch(text)
    return whole.group(1) if whole else text


def look(label: str) -> str:
    """What is left of a label that a person glances at: equal for labels that only look different.

    Case, width, invisible characters, white space, dashes and underscores between letters, and
    padding of numbers are taken off.

    Examples:
        >>> [look(v) for v in ("Past Smoker", "past_smoker", "007", "ER-", "ER+")]
        ['pastsmoker', 'pastsmoker', '7', 'er-', 'er+']
    """
    text = glance(label)
    if _NUMBER.fullmatch(text):
        return f"{float(text):g}"
    return _JOINT.sub("", text)


def glance(label: str) -> str:
    """The same for labels of one hand, which may well tell 1 from 01 and A-1 from A1."""
    text = unicodedata.normalize("NFKC", label).casefold()
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split())


def decode_labels(value: str, where: str) -> frozenset[str]:
    """Parse ``[label, …]``.

    Raises:
        DataError: the value is anything else; the message holds ``where`` and never the value.
    """
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(map(_is_name, found)):
        raise DataError(
            "is not a JSON list of labels", where=where, fix='write ["label", …], [] for none'
        )
    return frozenset(map(label_text, found))


def _is_name(value: object) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


SpanKey = tuple[tuple[tuple[int, int], ...], str]


def decode_spans(value: str, where: str) -> frozenset[SpanKey]:
    """Parse ``[[start, end, type], …]`` into a set of (fragments, type).

    A discontinuous span is ``[start, end, type, [[s, e], …]]`` and equals only a span with the
    same fragments. An object at the end of a span holds its attributes.

    Raises:
        DataError: the value is anything else; the message holds ``where`` and never the value.
    """
    return frozenset(span for span, _ in _rows_of(value, where))


def decode_attributes(value: str, where: str) -> frozenset[tuple[SpanKey, str, str]]:
    """Parse ``[[start, end, type, {field: value}], …]`` into a set of (span, field, value).

    Raises:
        DataError: as :func:`spans_of`.
    """
    return frozenset(
        (span, field, text) for span, fields in _rows_of(value, where) for field, text in fields
    )


def _rows_of(value: str, where: str) -> list[tuple[SpanKey, list[tuple[str, str]]]]:
    found = []
    try:
        for row in json.loads(value):
            fields = row[-1] if isinstance(row[-1], dict) else {}
            pieces = row[3] if len(row) > 3 and row[3] is not fields else [row[:2]]
            span = tuple((int(s), int(e)) for s, e in pieces), label_text(row[2])
            found.append((span, [(label_text(f), label_text(v)) for f, v in fields.items()]))
    except (ValueError, TypeError, IndexError, KeyError):
        # `from None`: the decoder's own message quotes the value.
        raise DataError(
            "is not a JSON list of spans", where=where, fix='write [[start, end, "type"], …]'
        ) from None
    return found


def names_of(kind: str, value: str, where: str, *, fields: bool = False) -> list[str]:
    """Labels or entity types of one value, as often as they occur; ``fields`` of attributes.

    Raises:
        DataError: as :func:`labels_of` and :func:`spans_of`.
    """
    if not value:
        return []
    if kind == "classification":
        return [label_text(value)]
    if kind == "multilabel":
        return sorted(decode_labels(value, where))
    if fields:
        return [field for _, field, _ in decode_attributes(value, where)]
    return [type_ for _, type_ in decode_spans(value, where)]


def same_value(kind: str, one: str, other: str, where: str) -> bool:
    """Whether two values of a table are the same gold, however it is written."""
    if kind == "classification":
        return label_text(one) == label_text(other)
    if kind == "multilabel":
        return decode_labels(one, where) == decode_labels(other, where)
    return all(of(one, where) == of(other, where) for of in (decode_spans, decode_attributes))


def look_alike(ids: Iterable[str], missing: str) -> str | None:
    """An id that ``missing`` only looks different from."""
    return next((i for i in ids if i != missing and look(i) == look(missing)), None)
