"""CoNLL columns: one token a line, its tag in a column, a blank line behind a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from medsweep.corpus._base import Document, Reading, Span
from medsweep.corpus.readers._fields import LONGEST_NAME
from medsweep.corpus.readers._lines import numbered_lines
from medsweep.errors import DataError

# Bare prefixes are how two-class files (BioBERT's) write their one type.
TAG = re.compile(r"O|[BIESLUM](?:-(?P<type>\S(?:.*\S)?))?")
ONE_TYPE = "ENTITY"
DOCSTART = "-DOCSTART-"


@dataclass(slots=True)
class _Sentence:
    """Rows of one sentence: line number and columns."""

    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    opens_document: bool = False


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which columns count: GermEval numbers its tokens and has a second, nested tag."""

    token: int = 0
    tag: int = -1


class Conll:
    """CoNLL-2002, CoNLL-2003, GermEval 2014; tags in IOB1, IOB2, BIOES or BILOU.

    A document is a sentence, or what stands between ``-DOCSTART-`` marks where a file has
    them. Its text is its tokens with single spaces between, for the original is not known.
    Files with one column (no tags) are unannotated.
    """

    name = "conll"
    suffixes: tuple[str, ...] = (".conll", ".iob", ".iob2", ".bio", ".bioes")
    shared_suffixes: tuple[str, ...] = (".tsv",)
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file."""
        del reading
        layout = _layout_of(path)
        for number, sentences in enumerate(_documents(path), 1):
            yield _document(sentences, layout, path, f"{path.stem}-{number}")


def looks_like_conll(path: Path) -> bool:
    """Whether the first lines are tokens with tags; for inferring the format of ``.tsv``."""
    rows = [row for s in islice(_sentences(path), 3) for _, row in s.rows]
    return bool(rows) and all(len(r) > 1 and any(TAG.fullmatch(c) for c in r[1:]) for r in rows)


def _sentences(path: Path) -> Iterator[_Sentence]:
    sentence = _Sentence()
    for number, line in numbered_lines(path):
        row = _split(line)
        if row[0] == DOCSTART or not any(row):
            if sentence.rows:
                yield sentence
                sentence = _Sentence()
            sentence.opens_document |= row[0] == DOCSTART
        elif not _is_comment(line, row):
            sentence.rows.append((number, row))
    if sentence.rows:
        yield sentence


def _split(line: str) -> list[str]:
    # Not str.split(): a token may hold a no-break space.
    if "\t" in line:
        return [c.strip(" ") for c in line.rstrip("\t ").split("\t")]
    return re.split(" +", line.strip(" "))


def _is_comment(line: str, row: list[str]) -> bool:
    """A ``#`` line without a tag at its end; with one it is the token ``#``."""
    return line.startswith("#") and len(row) > 1 and not TAG.fullmatch(row[-1])


def _documents(path: Path) -> Iterator[list[_Sentence]]:
    marked = any(s.opens_document for s in _sentences(path))
    document: list[_Sentence] = []
    for sentence in _sentences(path):
        if document and (sentence.opens_document or not marked):
            yield document
            document = []
        document.append(sentence)
    if document:
        yield document


def _layout_of(path: Path) -> _Layout:
    """Numbered tokens are recognised by a sentence of two or more: a lone "1" may be a word."""
    for sentence in _sentences(path):
        if len(sentence.rows) < 2:
            continue
        numbered = all(
            len(row) > 2 and row[0] == str(n) and TAG.fullmatch(row[2])
            for n, (_, row) in enumerate(sentence.rows, 1)
        )
        return _Layout(1, 2) if numbered else _Layout()
    return _Layout()


def _document(sentences: list[_Sentence], layout: _Layout, path: Path, id_: str) -> Document:
    line, first = sentences[0].rows[0]
    tagged, texts, position = len(first) > 1, list[str](), 0
    spans: list[Span] = []
    for sentence in sentences:
        tokens, tags = _columns(sentence, layout, len(first), path.name)
        # A sentence at a time: no mention goes on behind a sentence's end.
        spans += decode_tags(tokens, tags, position)
        texts.append(" ".join(tokens))
        position += len(texts[-1]) + 1
    return Document(
        id=id_,
        text=" ".join(texts),
        spans=tuple(spans) if tagged else None,
        source=f"{path.name}:{line}",
    )


def _columns(
    sentence: _Sentence, layout: _Layout, width: int, name: str
) -> tuple[list[str], list[str]]:
    """Tokens and tags of a sentence; without tags ``O`` for all."""
    tokens, tags = list[str](), list[str]()
    for number, row in sentence.rows:
        where = f"{name}:{number}"
        if len(row) != width:
            raise DataError(
                f"{len(row)} columns, the lines before have {width}",
                where=where,
                fix="give every token its tag, and end sentences with a blank line",
            )
        token = row[layout.token]
        if not token:
            raise DataError("a tag without a token", where=where)
        tokens.append(token)
        tags.append(checked_tag(row[layout.tag], where) if width > 1 else "O")
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
