"""i2b2/VA 2010: concepts by line and word, beside texts of one sentence a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._anchor import Mention, anchored
from medsweep.corpus.readers._fields import as_name
from medsweep.corpus.readers._lines import numbered_lines, read_text
from medsweep.errors import DataError

_CONCEPT = re.compile(
    r'c="(?P<text>.*)" (?P<line>\d{1,9}):(?P<first>\d{1,9})'
    r" (?P<last_line>\d{1,9}):(?P<last>\d{1,9})"
    r'\|\|t="(?P<type>[^"]+)"\s*'
)
# Where the texts lie, seen from the folder of the concepts.
_TEXTS = (".", "../txt", "../text", "../texts", "../docs", "..")


class I2b22010:
    """A document is a ``.con``, and the ``.txt`` of its name beside it or in a folder ``txt``.

    Lines count from 1, words from 0, with white space between. Files of assertions and relations
    are passed over.
    """

    name = "i2b2-2010"
    suffixes: tuple[str, ...] = (".con",)
    shared_suffixes: tuple[str, ...] = ()
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """The document of a file."""
        folders = [path.parent / name for name in _TEXTS]
        beside = next((f for d in folders if (f := d / f"{path.stem}.txt").is_file()), None)
        if beside is None:
            raise DataError(
                f"there is no {path.stem}.txt beside it, nor in a folder txt",
                where=path.name,
                fix="put the texts there",
            )
        text = read_text(beside, reading)
        words = _words(text)
        mentions = [
            _mention(line, words, f"{path.name}:{number}")
            for number, line in numbered_lines(path, reading)
            if line.strip()
        ]
        spans = anchored(text, mentions, reading.changes, (0, len(text)))
        yield Document(path.stem, text, spans=tuple(spans), source=path.name)


def _words(text: str) -> list[list[tuple[int, int]]]:
    """Places of the words of each line."""
    lines, start = [], 0
    for line in text.split("\n"):
        lines.append([(start + m.start(), start + m.end()) for m in re.finditer(r"\S+", line)])
        start += len(line) + 1
    return lines


def _mention(line: str, words: list[list[tuple[int, int]]], where: str) -> Mention:
    match = _CONCEPT.fullmatch(line)
    if match is None:
        raise DataError(
            "not a line of concepts",
            where=where,
            fix='write c="text" line:word line:word||t="type"',
        )
    type_ = as_name(match["type"], "type", where)
    if type_ is None:
        raise DataError("the concept has no type", where=where)
    first, last = (
        _place(words, int(match[a]), int(match[b]))
        for a, b in (("line", "first"), ("last_line", "last"))
    )
    # A word that is not there is a mention outside of the text.
    pieces = ((first[0], last[1]) if first and last and first[0] < last[1] else (-2, -1),)
    return Mention(type_, pieces, match["text"], where)


def _place(words: list[list[tuple[int, int]]], line: int, word: int) -> tuple[int, int] | None:
    inside = 0 < line <= len(words) and word < len(words[line - 1])
    return words[line - 1][word] if inside else None
