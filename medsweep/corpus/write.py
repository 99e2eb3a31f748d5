"""Documents as JSON lines."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from medsweep.corpus._base import Document
from medsweep.corpus.readers._fields import dump_entities


def to_row(document: Document) -> dict[str, Any]:
    """What the ``jsonl`` reader reads with its usual columns; parts that are None are left out."""
    entities = None if document.spans is None else dump_entities(document.spans)
    row = {
        "id": document.id,
        "text": document.text,
        "label": document.label,
        "labels": None if document.labels is None else list(document.labels),
        "entities": entities,
        "group": document.group,
        "split": document.split,
    }
    return {key: value for key, value in row.items() if value is not None}


def write_jsonl(documents: Iterable[Document], path: Path) -> None:
    """Write the documents, or nothing at all if reading them fails on the way."""
    write_atomically(path, (json.dumps(to_row(d), ensure_ascii=False) + "\n" for d in documents))


def write_atomically(path: Path, lines: Iterable[str]) -> None:
    """Replace ``path`` once all lines are written; only the user may read it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
