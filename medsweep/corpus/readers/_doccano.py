"""doccano's first exports: annotations with the numbers of their labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsweep.corpus._base import Reading
from medsweep.corpus.readers._json import as_object
from medsweep.errors import DataError

NUMBERED = "labels that are numbers: doccano's label_config.json has their names"


def old_parts(record: Mapping[str, Any], reading: Reading, where: str) -> dict[str, Any]:
    """Mentions or labels of a record's ``annotations``; nothing where it has none such.

    Raises:
        DataError: several people annotated it, and none of them is named.
    """
    listed = record.get("annotations")
    if not isinstance(listed, list) or not all(
        isinstance(a, dict) and "label" in a for a in listed
    ):
        return {}
    found = _of_one([as_object(a, "an annotation", where) for a in listed], reading, where)
    if numbers := sum(isinstance(a["label"], int) for a in found):
        reading.changes[NUMBERED] += numbers
    if not found:
        # Whether of mentions or of classes is told by the other documents.
        return {"choices": []}
    if all("start_offset" in a for a in found):
        kept = ("label", "start_offset", "end_offset")
        return {"entities": [{k: a.get(k) for k in kept} for a in found], "of_label": True}
    return {"choices": [a["label"] for a in found]}


def _of_one(
    annotations: list[dict[str, Any]], reading: Reading, where: str
) -> list[dict[str, Any]]:
    """Those of the annotator that is named, or of the only one there is."""
    people = sorted({str(a["user"]) for a in annotations if "user" in a})
    if reading.annotator is not None:
        return [a for a in annotations if str(a.get("user")) == reading.annotator]
    if len(people) > 1:
        raise DataError(
            f"annotations of several people ({', '.join(people)})",
            where=where,
            fix="choose one with --annotator (data: annotator)",
        )
    return annotations
