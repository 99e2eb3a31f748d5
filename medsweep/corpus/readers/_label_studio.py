"""Label Studio's JSON export: tasks with their data and annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsweep.corpus._base import Reading
from medsweep.corpus.readers._html import Page, is_page
from medsweep.corpus.readers._json import as_list, as_object
from medsweep.errors import DataError


def is_task(record: Mapping[str, Any]) -> bool:
    """Whether a record has data, and annotations as Label Studio calls them, now or once."""
    return isinstance(record.get("data"), dict) and (
        "annotations" in record or "completions" in record
    )


def task_parts(record: Mapping[str, Any], reading: Reading, where: str) -> dict[str, Any]:
    """A task's text, and the labels, choices or preferences of its one annotation.

    Raises:
        DataError: several people annotated the task differently and none of them is named, or
            there is no text.
    """
    data = as_object(record.get("data"), "data", where)
    columns = reading.columns
    results = _results(record, reading, where)
    parts: dict[str, Any] = {
        "id": record.get("id"),
        "text": _text(data, results, columns.text, where),
        "group": data.get(columns.group),
    }
    page = Page(parts["text"]) if is_page(parts["text"]) else None
    if page is not None:
        parts["text"] = page.text
        reading.changes["texts in HTML read without their tags"] += 1
    if results is None:
        return parts
    if relations := sum(r.get("type") == "relation" for r in results):
        reading.changes["relations left out"] += relations
    values = [
        (r.get("type"), as_object(r.get("value"), "the value", where))
        for r in results
        if r.get("type") != "relation"
    ]
    chosen = [c for _, v in values for c in as_list(v.get("choices"), "choices", where)]
    chosen += [v["selected"] for kind, v in values if kind == "pairwise" and "selected" in v]
    marked = [(kind, v) for kind, v in values if "start" in v and "choices" not in v]
    if chosen:
        parts["choices"] = chosen
    if marked or not chosen:
        parts["entities"] = [e for kind, v in marked for e in _entities(kind, v, page, where)]
    others = len(values) - sum(bool(v.get("choices") or v.get("selected")) for _, v in values)
    if lost := others - len(marked):
        reading.changes["results that are neither labels nor choices left out"] += lost
    return parts


def _results(
    record: Mapping[str, Any], reading: Reading, where: str
) -> list[dict[str, Any]] | None:
    """The results of the annotation to read; None where there is none."""
    listed = as_list(record.get("annotations", record.get("completions")), "annotations", where)
    annotations = [as_object(a, "an annotation", where) for a in listed]
    given = [a for a in annotations if not a.get("was_cancelled")]
    reading.changes.count_mentions("cancelled annotations left out", len(annotations) - len(given))
    people = [_annotator(a) for a in given]
    if reading.annotator is not None:
        given = [a for a, who in zip(given, people, strict=True) if who == reading.annotator]
    results = [
        [as_object(r, "a result", where) for r in as_list(a.get("result"), "result", where)]
        for a in given
    ]
    if len({repr([(r.get("type"), r.get("value")) for r in rs]) for rs in results}) > 1:
        raise DataError(
            f"{len(results)} annotations that differ, of annotators "
            f"{', '.join(sorted(set(people)))}",
            where=where,
            fix="choose one with --annotator (data: annotator)",
        )
    return results[0] if results else None


def _annotator(annotation: Mapping[str, Any]) -> str:
    """Number or address of who made an annotation."""
    who = annotation.get("completed_by", annotation.get("created_username"))
    if isinstance(who, dict):
        who = who.get("email", who.get("id"))
    shown = str(who).strip() if isinstance(who, str | int) else "unknown"
    return shown.split(" ")[0] if shown.isprintable() and len(shown) < 100 else "unknown"


def _text(
    data: Mapping[str, Any], results: list[dict[str, Any]] | None, column: str, where: str
) -> str:
    """The text that was annotated: that under the column's name, else the one that is named."""
    if isinstance(data.get(column), str):
        return str(data[column])
    named = [n for r in results or () for n in _names(r.get("to_name"))]
    texts = {k: v for k, v in data.items() if isinstance(v, str)}
    if len(set(named)) > 1 and all(n in texts for n in named):
        # The two sides of a comparison.
        return "\n\n".join(texts[n] for n in dict.fromkeys(named))
    known = [n for n in named if n in texts] or (list(texts) if len(texts) == 1 else [])
    if not known:
        raise DataError(
            f"the task's data has no {column!r}",
            where=where,
            fix="name the text's key: --column text=KEY",
        )
    return texts[known[0]]


def _names(value: object) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [n for n in listed if isinstance(n, str)]


def _entities(
    kind: object, value: Mapping[str, Any], page: Page | None, where: str
) -> list[dict[str, Any]]:
    """A region once for each of its labels."""
    labels = as_list(value.get(str(kind), value.get("labels")), "labels", where)
    place = {"start": value.get("start"), "end": value.get("end"), "text": value.get("text")}
    if "startOffset" in value:
        place |= _on_page(value, page, where)
    return [{**place, "type": label} for label in labels or [None]]


def _on_page(value: Mapping[str, Any], page: Page | None, where: str) -> dict[str, Any]:
    """Where a region of HTML lies, whose own start and end are paths of elements."""
    found = as_object(value.get("globalOffsets") or {}, "globalOffsets", where)
    start, end = found.get("start"), found.get("end")
    if page is None or type(start) is not int or type(end) is not int:
        raise DataError(
            "a region of HTML without globalOffsets",
            where=where,
            fix="export it again from a Label Studio that writes them (1.4 or newer)",
        )
    begin, behind = page.place(start, end)
    return {"start": begin, "end": behind}
