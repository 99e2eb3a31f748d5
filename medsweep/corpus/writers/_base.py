"""What a writer of a corpus format promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from medsweep.corpus._base import Document, Span


class Writer(Protocol):
    """A corpus format: one file of ``medsweep.corpus.writers`` each.

    ``name`` is what ``--to`` says, ``suffixes`` are the file endings that tell it. What is
    written reads back as the same documents, but for what the format cannot express: that
    counts in ``changes``, by kind, and nothing is changed without an entry there.
    """

    name: str
    suffixes: tuple[str, ...]

    def write(self, documents: Sequence[Document], path: Path, changes: Counter[str]) -> None:
        """Write the documents to ``path``, all or nothing; only the user may read them."""
        ...


def note_change(changes: Counter[str], kind: str, number: int) -> None:
    """Note a change that may not have happened."""
    if number:
        changes[kind] += number


def count_left_out(documents: Sequence[Document], changes: Counter[str]) -> None:
    """Note what formats of mentions have no place for."""
    labelled = (d.label is not None or d.labels is not None for d in documents)
    note_change(changes, "labels left out", sum(labelled))
    note_change(changes, "groups left out", sum(d.group is not None for d in documents))


def visible_hull(span: Span, text: str) -> tuple[int, int]:
    """From a mention's first to its last visible character; empty where it has none."""
    surface = text[span.start : span.end]
    start = span.start + len(surface) - len(surface.lstrip())
    return start, max(start, span.end - len(surface) + len(surface.rstrip()))
