"""PubTator: title and abstract on a line each, a line for every mention."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._anchor import Mention, anchored
from medsweep.corpus.readers._fields import as_name, as_value
from medsweep.corpus.readers._lines import numbered_lines
from medsweep.errors import DataError

RELATIONS = "relations left out"
PARTS = "names of a mention's parts left out"

IDENTIFIER = "identifier"
# What stands for no concept.
_NONE = ("-", "-1")

_TEXT = re.compile(r"([^|\t]{1,100})\|([ta])\|(.*)", re.DOTALL)
_NUMBER = re.compile(r"-?\d{1,12}")


@dataclass(slots=True)
class _Article:
    id: str
    where: str
    title: str
    abstract: str | None = None
    mentions: list[Mention] = field(default_factory=list)

    def document(self, reading: Reading) -> Document:
        """Title and abstract with one character between, as the offsets count them."""
        text = self.title if self.abstract is None else f"{self.title} {self.abstract}"
        border = len(self.title) + 1
        # Where offsets are off, title and abstract are off by different distances.
        of_title = [m for m in self.mentions if not m.pieces or m.pieces[0][0] < border]
        others = [m for m in self.mentions if m.pieces and m.pieces[0][0] >= border]
        spans = anchored(text, of_title, reading.changes, (0, border - 1))
        spans += anchored(text, others, reading.changes, (border, len(text)))
        return Document(self.id, text, spans=tuple(spans), source=self.where)


class Pubtator:
    """``id|t|title``, ``id|a|abstract``, then ``id  start  end  text  type  concept`` with tabs.

    The concept's id (several with ``|`` between) is the attribute ``identifier``, as in the BioC
    that PubTator writes: other BioC names the vocabulary (``MESH``), which these lines do not tell.

    A document without such lines has no mention: the format does not tell it from an
    unannotated one. Relations and names of composite mentions' parts are left out.
    """

    name = "pubtator"
    suffixes: tuple[str, ...] = (".pubtator",)
    shared_suffixes: tuple[str, ...] = (".txt",)
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file."""
        article: _Article | None = None
        for number, line in numbered_lines(path, reading):
            where = f"{path.name}:{number}"
            if not line.strip():
                continue
            if match := _TEXT.fullmatch(line):
                id_, part, text = match.groups()
                if part == "t":
                    if article is not None:
                        yield article.document(reading)
                    article = _Article(_checked_id(id_, where), where, text)
                    continue
                _add_abstract(_own(article, id_, where), text, where)
            else:
                columns = line.split("\t")
                _add_line(_own(article, columns[0], where), columns, where, reading)
        if article is not None:
            yield article.document(reading)


def _checked_id(raw: str, where: str) -> str:
    id_ = as_name(raw, "id", where)
    if id_ is None:
        raise DataError("the id is empty", where=where)
    return id_


def _own(article: _Article | None, id_: str, where: str) -> _Article:
    if article is None or id_.strip() != article.id:
        raise DataError(
            "the line does not begin with the id of the title above it",
            where=where,
            fix="begin every document with id|t|title",
        )
    return article


def _add_abstract(article: _Article, text: str, where: str) -> None:
    if article.abstract is not None or article.mentions:
        raise DataError("an abstract that does not follow its title", where=where)
    article.abstract = text


def _add_line(article: _Article, columns: list[str], where: str, reading: Reading) -> None:
    if len(columns) < 4:
        raise DataError(
            f"neither text nor a mention: {len(columns)} columns",
            where=where,
            fix="write id, start, end, text and type with tabs between",
        )
    if not (_NUMBER.fullmatch(columns[1]) and _NUMBER.fullmatch(columns[2])):
        # Relations name their kind where mentions have their start.
        if any(_NUMBER.fullmatch(c) for c in columns[1:3]) or len(columns) > 5:
            raise DataError("start and end are not whole numbers", where=where)
        reading.changes[RELATIONS] += 1
        return
    start, end = int(columns[1]), int(columns[2])
    type_ = as_name(columns[4], "type", where) if len(columns) > 4 else None
    if type_ is None:
        raise DataError("the mention has no type", where=where)
    if not 0 <= start <= end:
        raise DataError(f"start {start} and end {end} are no stretch of text", where=where)
    pieces = ((start, end),) if start < end else ()
    concept = as_value(columns[5]) if len(columns) > 5 else None
    attributes = () if concept is None or concept in _NONE else ((IDENTIFIER, concept),)
    if any(map(str.strip, columns[6:])):
        reading.changes.count_mentions(PARTS)
    article.mentions.append(Mention(type_, pieces, columns[3], where, attributes))


def looks_like_pubtator(path: Path) -> bool:
    """Whether the first line is a title; for inferring the format of ``.txt``."""
    with path.open("rb") as file:
        return (
            re.match(rb"(?:\xef\xbb\xbf)?\s*[^|\t\n]{1,100}\|t\|", file.readline(2**16)) is not None
        )
