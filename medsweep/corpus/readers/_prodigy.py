"""Prodigy's examples: spans, a label or chosen options, and the annotator's answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsweep.corpus._base import Columns, Reading
from medsweep.corpus.readers._json import as_list, as_object
from medsweep.errors import DataError

ANSWERS = ("accept", "reject", "ignore")
_HASHES = ("_input_hash", "_task_hash")


def is_example(record: Mapping[str, Any], columns: Columns) -> bool:
    """Whether a record has an answer or a hash, as Prodigy's have."""
    has_text = isinstance(record.get(columns.text), str)
    return has_text and (record.get("answer") in ANSWERS or any(h in record for h in _HASHES))


def example_parts(record: Mapping[str, Any], reading: Reading, where: str) -> dict[str, Any] | None:
    """What an accepted example says; others are no gold, whatever is marked in them."""
    columns, answer = reading.columns, record.get("answer", "accept")
    if answer not in ANSWERS:
        raise DataError(
            "the answer is none of accept, reject, ignore",
            where=where,
            fix="name the right format with --format",
        )
    if answer != "accept":
        reading.changes[f"examples with answer {answer} left out"] += 1
        return None
    if relations := as_list(record.get("relations"), "relations", where):
        reading.changes["relations left out"] += len(relations)
    parts = {
        "id": record.get(columns.id),
        "text": record.get(columns.text),
        "label": record.get(columns.label),
        "labels": record.get(columns.labels),
        "entities": record.get(columns.entities, record.get("spans")),
        "group": record.get(columns.group),
    }
    if "accept" in record or "options" in record:
        # A question with options says nothing else of the document.
        parts["label"], parts["choices"] = None, as_list(record.get("accept"), "accept", where)
        config = as_object(record.get("config") or {}, "config", where)
        if config.get("choice_style") == "multiple":
            parts["labels"] = parts.pop("choices")
    return parts
