"""CoNLL columns: one token a line, its tag in a column, a blank line behind a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from medsweep.corpus._base import Document, Reading, Span
from medsweep.corpus.readers._fields import as_name
from medsweep.corpus.readers._lines import numbered_lines
from medsweep.corpus.readers._tags import TAG, checked_tag, decode_tags
from medsweep.errors import DataError

DOCSTART = "-DOCSTART-"

EMPTY = "documents without a token left out"
TAGS = "columns of other tags left out"

# As CoNLL-U opens a document, and as JNLPBA's files do.
_NEWDOC = re.compile(r"#\s*newdoc(?:\s+id\s*=\s*(?P<id>.*\S))?\s*")
_MEDLINE = re.compile(r"###MEDLINE:\s*(?P<id>\S+)\s*")
# CoNLL-U Plus names its columns; other lines of that form are metadata.
_COLUMNS = re.compile(r"#\s*global\.columns\s*=\s*(?P<names>.*\S)\s*")
_METADATA = re.compile(r"#\s*[\w.:]+\s*=\s.*")
_WORD = "FORM"
# Words that a token stands for, and those that were left out, in CoNLL-U.
_NO_TOKEN = re.compile(r"\d+[-.]\d+")

# Of a sentence: line numbers and columns.
_Rows = list[tuple[int, list[str]]]


@dataclass(frozen=True, slots=True)
class _Mark:
    """What opens a document, and the id it may give; ``-DOCSTART-`` may only open the file."""

    id: str | None = None
    is_docstart: bool = False


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many columns there are, and which count; ``document``: the one of documents' ids.

    GermEval numbers its tokens and has a second, nested tag.
    """

    width: int
    token: int
    tags: tuple[int, ...]
    document: int | None = None


class Conll:
    """CoNLL-2002, CoNLL-2003, GermEval 2014, CoNLL-U Plus; tags in IOB1, IOB2, BIOES or BILOU.

    A document is a sentence, or what follows a ``-DOCSTART-``, ``# newdoc`` or ``###MEDLINE:`` mark
    where a file has them; a single ``-DOCSTART-`` on top only begins the file. Its text is its
    tokens with single spaces between, for the original is not known. Files with one column (no
    tags) are unannotated. Of several columns of tags the last is read, for others are chunks; of
    numbered tokens GermEval's two. nersuite's columns begin with the tag. A first column that is
    the same throughout each sentence has the document's id, which is the sentence's group.
    """

    name = "conll"
    suffixes: tuple[str, ...] = (".conll", ".iob", ".iob2", ".bio", ".bioes", ".conllup")
    shared_suffixes: tuple[str, ...] = (".tsv", ".tab", ".txt", ".nersuite")
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file."""
        layout = _layout_of(path, reading)
        for id_, sentences in _documents(path, reading):
            if sentences:
                yield _document(sentences, layout, path, id_)
            else:
                reading.changes[EMPTY] += 1


def looks_like_conll(path: Path, reading: Reading) -> bool:
    """Whether the first lines are tokens with tags; for inferring the format of ``.tsv``."""
    rows = [row for rows in islice(_sentences(path, reading), 3) for _, row in rows]
    return bool(rows) and all(len(r) > 1 and any(TAG.fullmatch(c) for c in r[1:]) for r in rows)


def _parts(path: Path, reading: Reading) -> Iterator[_Mark | _Rows]:
    """Sentences, and the marks between them."""
    rows: _Rows = []
    name = path.name
    for number, line in numbered_lines(path, reading):
        row = _split(line)
        mark = _mark(line, row, name, number)
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


def _mark(line: str, row: list[str], name: str, number: int) -> _Mark | None:
    if row[0] == DOCSTART:
        return _Mark(is_docstart=True)
    if not line.startswith("#"):
        return None
    match = _NEWDOC.fullmatch(line) or _MEDLINE.fullmatch(line)
    return _Mark(as_name(match["id"], "id", f"{name}:{number}")) if match else None


def _sentences(path: Path, reading: Reading) -> Iterator[_Rows]:
    return (part for part in _parts(path, reading) if not isinstance(part, _Mark))


def _split(line: str) -> list[str]:
    # Not str.split(): a token may hold a no-break space.
    if "\t" in line:
        return [c.strip(" ") for c in line.rstrip("\t ").split("\t")]
    return re.split(" +", line.strip(" "))


def _is_comment(line: str, row: list[str]) -> bool:
    """A ``#`` line without a tag at its end; with one it is the token ``#``."""
    if not line.startswith("#") or len(row) < 2:
        return False
    return _METADATA.fullmatch(line) is not None or not TAG.fullmatch(row[-1])


def _documents(path: Path, reading: Reading) -> Iterator[tuple[str, list[_Rows]]]:
    """Ids and sentences; a mark counts as a document even where nothing follows it."""
    marked = _is_marked(path, reading)
    number, id_, document = 0, None, list[_Rows]()
    for part in _parts(path, reading):
        if isinstance(part, _Mark) and not marked:
            continue
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


def _is_marked(path: Path, reading: Reading) -> bool:
    """Whether marks say where documents begin: Label Studio has one on top, and tasks below."""
    on_top = in_sentence = False
    for number, line in numbered_lines(path, reading):
        if not line.lstrip(" ").startswith(("#", "-")):
            in_sentence = in_sentence or bool(line.strip())
            continue
        row = _split(line)
        mark = _mark(line, row, path.name, number)
        if mark is None:
            in_sentence = in_sentence or not _is_comment(line, row)
        elif on_top or in_sentence or not mark.is_docstart:
            return True
        else:
            on_top = True
    return False


def _layout_of(path: Path, reading: Reading) -> _Layout:
    """Numbered tokens are recognised by a sentence of two or more: a lone "1" may be a word."""
    width = next((len(rows[0][1]) for rows in _sentences(path, reading)), 1)
    long = (rows for rows in _sentences(path, reading) if len(rows) > 1)
    rows = [row for _, row in next(long, [])]
    rows = [row for row in rows if not _NO_TOKEN.fullmatch(row[0])]
    common = range(min(map(len, rows), default=0))
    of_tags = {n for n in common if all(TAG.fullmatch(row[n]) for row in rows)}
    names = _column_names(path, reading)
    if _WORD in names:
        tags = [n for n in sorted(of_tags) if n < len(names) and n != names.index(_WORD)]
        layout = _Layout(width, names.index(_WORD), tuple(tags[-1:]))
    elif 2 in of_tags and [row[0] for row in rows] == [str(n + 1) for n in range(len(rows))]:
        layout = _Layout(width, 1, (2, 3) if 3 in of_tags else (2,))
    elif 0 in of_tags and width > 3 and all(_is_place(row) for row in rows):
        layout = _Layout(width, 3, (0,))
    else:
        token = _token_column(path, reading, [n for n in range(width) if n not in of_tags])
        ids = (n for n in range(token) if _is_constant(path, reading, n))
        last = (width - 1,) if width > 1 else ()
        layout = _Layout(width, token, last, document=next(ids, None))
    # A first sentence of fewer columns is refused as it is read.
    layout = replace(
        layout, width=max(layout.width, layout.token + 1, *(n + 1 for n in layout.tags))
    )
    if others := of_tags - {layout.token, *layout.tags}:
        reading.changes[TAGS] += len(others)
    return layout


def _column_names(path: Path, reading: Reading) -> list[str]:
    """What CoNLL-U Plus calls the columns; none in other files."""
    for _, line in islice(numbered_lines(path, reading), 20):
        if match := _COLUMNS.fullmatch(line):
            return [name.rpartition(":")[2] for name in match["names"].split()]
    return []


def _is_place(row: list[str]) -> bool:
    """Whether a row has offsets behind its tag, as nersuite's have."""
    start, end = (*row[1:3], "", "")[:2]
    return start.isdecimal() and end.isdecimal() and int(start) < int(end)


def _token_column(path: Path, reading: Reading, columns: list[int]) -> int:
    """The first of the columns that holds neither numbers nor the same throughout a sentence.

    Files number tokens and sentences, or name the document, before the word.
    """
    sample = [[row for _, row in rows] for rows in islice(_sentences(path, reading), 50)]
    rows = [row for sentence in sample for row in sentence]
    for n in columns if any(len(sentence) > 1 for sentence in sample) else ():
        cells = [row[n] for row in rows if n < len(row)]
        if not all(c.isdecimal() for c in cells) and not _is_constant(path, reading, n):
            return n
    return 0


def _is_constant(path: Path, reading: Reading, column: int) -> bool:
    """Whether a column is the same throughout each sentence."""
    return all(
        len({row[column] for _, row in rows if column < len(row)}) < 2
        for rows in _sentences(path, reading)
    )


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
        group=as_name(_id_of(sentences, layout), "document's id", f"{path.name}:{line}"),
        source=f"{path.name}:{line}",
    )


def _id_of(sentences: list[_Rows], layout: _Layout) -> str | None:
    return None if layout.document is None else sentences[0][0][1][layout.document]


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
        if len(row) > layout.token > 0 and _NO_TOKEN.fullmatch(row[0]):
            continue
        token = row[layout.token]
        if not token:
            raise DataError("a tag without a token", where=where)
        tokens.append(token)
        for column, n in zip(tags, layout.tags, strict=True):
            column.append(checked_tag(row[n], where))
    return tokens, tags
