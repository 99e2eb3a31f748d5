"""JSON lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from medsweep.corpus._base import Document
from medsweep.corpus.write import write_jsonl


class Jsonl:
    """Holds all that a document has."""

    name = "jsonl"
    suffixes: tuple[str, ...] = (".jsonl", ".ndjson")

    def write(self, documents: Sequence[Document], path: Path, changes: Counter[str]) -> None:
        """Write the documents; nothing is changed."""
        del changes
        write_jsonl(documents, path)
