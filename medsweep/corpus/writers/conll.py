"""CoNLL columns: a token and its IOB2 tag a line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from medsweep.corpus._base import Document, Span
from medsweep.corpus.readers._fields import LONGEST_NAME
from medsweep.corpus.readers.conll import DOCSTART
from medsweep.corpus.write import write_atomically
from medsweep.corpus.writers._base import count_left_out, note_change, visible_hull

# As the reader splits, and as Unicode's other spaces and breaks would confuse other readers.
_TOKEN = re.compile(r"\S+")


class Conll:
    """Documents below ``-DOCSTART-`` marks (one alone below ``# newdoc``), a sentence a line.

    Tokens are what stands between white space, and are cut where a mention begins or ends inside
    one. The format has no offsets, so that other white space than single spaces is lost, and no
    two mentions over one token: the longer one is written.
    """

    name = "conll"
    suffixes: tuple[str, ...] = (".conll", ".iob2", ".bio", ".iob")

    def write(self, documents: Sequence[Document], path: Path, changes: Counter[str]) -> None:
        """Write the documents; the id of the n-th becomes ``<stem>-<n>``."""
        ids = [f"{path.stem}-{n}" for n in range(1, len(documents) + 1)]
        changed = sum(d.id != i for d, i in zip(documents, ids, strict=True))
        note_change(changes, "ids replaced by numbers", changed)
        count_left_out(documents, changes)
        attributes = sum(len(s.attributes) for d in documents for s in d.spans or ())
        note_change(changes, "attributes left out", attributes)
        annotated = any(d.spans is not None for d in documents)
        bare = sum(d.spans is None for d in documents) if annotated else 0
        note_change(changes, "unannotated documents written as without a mention", bare)
        # A single -DOCSTART- on top opens a file for readers, not a document.
        mark = "# newdoc" if len(documents) == 1 else f"{DOCSTART}\tO" if annotated else DOCSTART
        lines = [
            line for d in documents for line in (f"{mark}\n\n", *_lines(d, annotated, changes))
        ]
        write_atomically(path, lines)


def _lines(document: Document, annotated: bool, changes: Counter[str]) -> Iterator[str]:
    spans = _one_a_token(document, changes)
    tokens = _tokens(document.text, spans)
    written = " ".join(document.text[a:b] for a, b in tokens)
    note_change(changes, "texts whose white space was changed", written != document.text)
    end, inside = 0, list(spans)
    for start, stop in tokens:
        while inside and inside[0].end <= start:
            inside.pop(0)
        span = inside[0] if inside and inside[0].start <= start else None
        # A mention may go over the end of a line; a sentence may not end within one.
        if "\n" in document.text[end:start] and (span is None or span.start == start):
            yield "\n"
        tag = "O" if span is None else f"{'B' if span.start == start else 'I'}-{span.type}"
        token = document.text[start:stop]
        yield f"{token}\t{tag}\n" if annotated else f"{token}\n"
        end = stop
    yield "\n"


def _tokens(text: str, spans: Sequence[Span]) -> list[tuple[int, int]]:
    borders = {b for s in spans for b in (s.start, s.end)}
    tokens = list[tuple[int, int]]()
    for match in _TOKEN.finditer(text):
        # A word that would read as a mark is cut, too.
        inner = borders | {match.start() + 1} if match[0] == DOCSTART else borders
        cuts = sorted(b for b in inner if match.start() < b < match.end())
        tokens += pairwise([match.start(), *cuts, match.end()])
    return tokens


def _one_a_token(document: Document, changes: Counter[str]) -> list[Span]:
    """Mentions that tags can express, in order and apart."""
    kept: list[Span] = []
    trimmed = [_trimmed(s, document.text, changes) for s in document.spans or ()]
    for span in sorted(filter(None, trimmed), key=lambda s: (s.start - s.end, s)):
        if any(span.start < k.end and k.start < span.end for k in kept):
            changes["mentions left out: another one has their tokens"] += 1
        else:
            kept.append(span)
    return sorted(kept)


def _trimmed(span: Span, text: str, changes: Counter[str]) -> Span | None:
    """The hull of a mention from its first to its last visible character."""
    start, end = visible_hull(span, text)
    if start >= end or len(span.type) + 2 > LONGEST_NAME:
        changes["mentions left out: white space only, or a type too long for a tag"] += 1
        return None
    note_change(changes, "mentions in several pieces joined to one", bool(span.fragments))
    note_change(
        changes,
        "white space at the edges of mentions left out",
        (start, end) != (span.start, span.end),
    )
    return Span(start, end, span.type)
