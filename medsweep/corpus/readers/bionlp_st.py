"""BioNLP shared tasks: given mentions in ``.a1``, triggers and events in ``.a2``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._lines import read_text
from medsweep.corpus.readers.brat import read_mentions
from medsweep.errors import DataError


class BionlpSt:
    """A document is ``x.txt`` with ``x.a1``, and ``x.a2`` where there is one; as in brat."""

    name = "bionlp-st"
    suffixes: tuple[str, ...] = (".a1",)
    shared_suffixes: tuple[str, ...] = ()
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """The document of a file."""
        beside = path.with_suffix(".txt")
        if not beside.is_file():
            raise DataError(
                f"there is no {beside.name} beside it", where=path.name, fix="put the text there"
            )
        text = read_text(beside, reading)
        files = [f for f in (path, path.with_suffix(".a2")) if f.is_file()]
        spans = read_mentions(files, text, reading)
        yield Document(path.stem, text, spans=spans, source=path.name)
