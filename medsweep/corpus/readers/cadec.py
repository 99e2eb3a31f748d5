"""CADEC as it is handed out: texts in ``text``, their annotations in ``original``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._lines import read_text
from medsweep.corpus.readers.brat import read_mentions
from medsweep.errors import DataError

_TEXTS, _ANNOTATIONS = "text", "original"
_CODES = ("meddra", "sct")


class Cadec:
    """A folder with ``text/x.txt`` and ``original/x.ann``; a text without ``.ann`` is unannotated.

    The codes of ``meddra`` and ``sct`` are of the same mentions, and are left out.
    """

    name = "cadec"
    suffixes: tuple[str, ...] = ()
    shared_suffixes: tuple[str, ...] = ()
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of the folder."""
        texts = sorted((path / _TEXTS).glob("*.txt"))
        annotations = {f.stem: f for f in sorted((path / _ANNOTATIONS).glob("*.ann"))}
        if lonely := sorted(annotations.keys() - {f.stem for f in texts}):
            raise DataError(
                f"{len(lonely)} files of {_ANNOTATIONS} have no text, this one first",
                where=annotations[lonely[0]].name,
                fix=f"put the texts into {_TEXTS}",
            )
        for folder in _CODES:
            if codes := len(list((path / folder).glob("*.ann"))):
                reading.changes[f"files of codes in {folder} left out"] += codes
        for file in texts:
            text, ann = read_text(file, reading), annotations.get(file.stem)
            spans = None if ann is None else read_mentions([ann], text, reading)
            yield Document(file.stem, text, spans=spans, source=(ann or file).name)


def looks_like_cadec(folder: Path) -> bool:
    """Whether a folder has texts in one folder and annotations in another."""
    return any((folder / _TEXTS).glob("*.txt")) and any((folder / _ANNOTATIONS).glob("*.ann"))
