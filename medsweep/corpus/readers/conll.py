"""CoNLL columns: one token a line, its tag in a column, a blank line behind a sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from medsweep.corpus._base import Document, Reading, Span
from medsweep.corpus.readers._fields import LONGEST_NAME, as_name
from medsweep.corpus.readers._lines import numbered_lines
from medsweep.errors import DataError

# Bare prefixes are how two-class files (BioBERT's) write their one type.
TAG = re.compile(r"O|[BIESLUM](?:-(?P<type>\S(?:.*\S)?))?")
ONE_TYPE = "ENTITY"
DOCSTART = "-DOCSTART-"


EMPTY = "documents without a token left out"
TAGS = "columns of other tags left out"

# As CoNLL-U opens a document.
_NEWDOC = re.compile(r"#\s*newdoc(?:\s+id\s*=\s*(?P<id>.*\S))?\s*")

# Of a sentence: line numbers and columns.
_Rows = list[tuple[int, list[str]]]


@dataclass(frozen=True, slots=True)
class _Mark:
    """What opens a document, and the id it may give."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many columns there are, and which count.

    GermEval numbers its tokens and has a second, nested tag.
    """

    width: int
    token: int
    tags: tuple[int, ...]


class Conll:
    """CoNLL-2002, CoNLL-2003, GermEval 2014; tags in IOB1, IOB2, BIOES or BILOU.

    A document is a sentence, or what follows a ``-DOCSTART-`` or ``# newdoc`` mark where a file
    has them. Its text is its tokens with single spaces between, for the original is not known.
    Files with one column (no tags) are unannotated. Of several columns of tags the last is read,
    for others are chunks; of numbered tokens GermEval's two.
    """

    name = "conll"
    suffixes: tuple[str, ...] = (".conll", ".iob", ".iob2", ".bio", ".bioes")
    shared_suffixes: tuple[str, ...] = (".tsv",)
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file."""
        layout = _layout_of(path, reading.changes)
        for id_, sentences in _documents(path):
            if sentences:
                yield _document(sentences, layout, path, id_)
            else:
                reading.changes[EMPTY] += 1


def looks_like_conll(path: Path) -> bool:
    """Whether the first lines are tokens with tags; for inferring the format of ``.tsv``."""
    rows = [row for rows in islice(_sentences(path), 3) for _, row in rows]
    return bool(rows) and all(len(r) > 1 and any(TAG.fullmatch(c) for c in r[1:]) for r in rows)


def _parts(path: Path) -> Iterator[_Mark | _Rows]:
    """Sentences, and the marks between them."""
    rows: _Rows = []
    for number, line in numbered_lines(path):
        row = _split(line)
        mark = _mark(line, row, f"{path.name}:{number}")
        if mark is None and any(row):
            if not _is_comment(line, row):
                rows.append((number, row))
            continue
        if rows:
            yield rows
            rows = []
        if mark is not None:
            yield mark
    if rows:
        yield rows


def _mark(line: str, row: list[str], where: str) -> _Mark | None:
    if row[0] == DOCSTART:
        return _Mark()
    match = _NEWDOC.fullmatch(line)
    return _Mark(as_name(match["id"], "id", where)) if match else None


def _sentences(path: Path) -> Iterator[_Rows]:
    return (part for part in _parts(path) if not isinstance(part, _Mark))


def _split(line: str) -> list[str]:
    # Not str.split(): a token may hold a no-break space.
    if "\t" in line:
        return [c.strip(" ") for c in line.rstrip("\t ").split("\t")]
    return re.split(" +", line.strip(" "))


def _is_comment(line: str, row: list[str]) -> bool:
    """A ``#`` line without a tag at its end; with one it is the token ``#``."""
    return line.startswith("#") and len(row) > 1 and not TAG.fullmatch(row[-1])


def _documents(path: Path) -> Iterator[tuple[str, list[_Rows]]]:
    """Ids and sentences; a mark counts as a document even where nothing follows it."""
    marked = any(isinstance(part, _Mark) for part in _parts(path))
    number, id_, document = 0, None, list[_Rows]()
    for part in _parts(path):
        if isinstance(part, _Mark) or not marked or not number:
            if number:
                yield id_ or f"{path.stem}-{number}", document
            number, id_, document = number + 1, None, []
        if isinstance(part, _Mark):
            id_ = part.id
        else:
            document.append(part)
    if number:
        yield id_ or f"{path.stem}-{number}", document


def _layout_of(path: Path, changes: Counter[str]) -> _Layout:
    """Numbered tokens are recognised by a sentence of two or more: a lone "1" may be a word."""
    width = next((len(rows[0][1]) for rows in _sentences(path)), 1)
    rows = next(([r for _, r in rows] for rows in _sentences(path) if len(rows) > 1), [])
    common = range(min(map(len, rows), default=0))
    of_tags = {n for n in common if all(TAG.fullmatch(row[n]) for row in rows)}
    if 2 in of_tags and [row[0] for row in rows] == [str(n + 1) for n in range(len(rows))]:
        layout = _Layout(width, 1, (2, 3) if 3 in of_tags else (2,))
    else:
        layout = _Layout(width, 0, (width - 1,) if width > 1 else ())
    if others := of_tags - {layout.token, *layout.tags}:
        changes[TAGS] += len(others)
    return layout


def _document(sentences: list[_Rows], layout: _Layout, path: Path, id_: str) -> Document:
    line, _ = sentences[0][0]
    texts, position = list[str](), 0
    spans: list[Span] = []
    for sentence in sentences:
        tokens, columns = _columns(sentence, layout, path.name)
        # A sentence at a time: no mention goes on behind a sentence's end.
        for tags in columns:
            spans += decode_tags(tokens, tags, position)
        texts.append(" ".join(tokens))
        position += len(texts[-1]) + 1
    return Document(
        id=id_,
        text=" ".join(texts),
        spans=tuple(spans) if layout.tags else None,
        source=f"{path.name}:{line}",
    )


def _columns(sentence: _Rows, layout: _Layout, name: str) -> tuple[list[str], list[list[str]]]:
    """Tokens of a sentence, and its columns of tags."""
    tokens, tags = list[str](), [list[str]() for _ in layout.tags]
    for number, row in sentence:
        where = f"{name}:{number}"
        if len(row) != layout.width:
            raise DataError(
                f"{len(row)} columns, the lines before have {layout.width}",
                where=where,
                fix="give every token its tag, and end sentences with a blank line",
            )
        token = row[layout.token]
        if not token:
            raise DataError("a tag without a token", where=where)
        tokens.append(token)
        for column, n in zip(tags, layout.tags, strict=True):
            column.append(checked_tag(row[n], where))
    return tokens, tags


def checked_tag(tag: str, where: str) -> str:
    """``tag``, which must be one.

    Raises:
        DataError: it is none; without it, for it may be a word.
    """
    if not TAG.fullmatch(tag) or len(tag) > LONGEST_NAME:
        # Without the tag: in a file of another layout it may be a word of the text.
        raise DataError(
            "the tag is none of O, B-TYPE, I-TYPE, E-TYPE, S-TYPE",
            where=where,
            fix="put the tag in the last column",
        )
    return tag


def decode_tags(tokens: list[str], tags: list[str], position: int) -> Iterator[Span]:
    """Spans of tags, the first token at ``position``.

    ``I`` or ``E`` without a mention to go on with starts one, as in IOB1.
    """
    open_: Span | None = None
    for token, tag in zip(tokens, tags, strict=True):
        start, end = position, position + len(token)
        position = end + 1
        prefix, type_ = tag[0], tag[2:] or ONE_TYPE
        goes_on = prefix in "IELM" and open_ is not None and open_.type == type_
        if open_ is not None and not goes_on:
            yield open_
            open_ = None
        if prefix != "O":
            open_ = Span(open_.start if open_ else start, end, type_)
        if open_ is not None and prefix in "ELSU":
            yield open_
            open_ = None
    if open_ is not None:
        yield open_
