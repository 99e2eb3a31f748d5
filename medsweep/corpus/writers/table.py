"""Tables with a header, commas or tabs between their cells."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from medsweep.corpus._base import Document
from medsweep.corpus.write import to_row, write_atomically

PARTS = ("id", "text", "label", "labels", "entities", "group")


class Csv:
    """The columns that the ``csv`` reader reads; lists are JSON. Holds all there is."""

    name = "csv"
    suffixes: tuple[str, ...] = (".csv",)
    delimiter = ","

    def write(self, documents: Sequence[Document], path: Path, changes: Counter[str]) -> None:
        """Write the documents; nothing is changed."""
        del changes
        write_atomically(path, self._lines(documents))

    def _lines(self, documents: Sequence[Document]) -> Iterator[str]:
        yield self._line(PARTS)
        for document in documents:
            row = to_row(document)
            for part in row.keys() & {"labels", "entities"}:
                row[part] = json.dumps(row[part], ensure_ascii=False)
            yield self._line([row.get(part, "") for part in PARTS])

    def _line(self, cells: Sequence[str]) -> str:
        line = io.StringIO(newline="")
        # Every cell in quotes: a lone carriage return would end a row otherwise.
        csv.writer(
            line, delimiter=self.delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n"
        ).writerow(cells)
        return line.getvalue()


class Tsv(Csv):
    """As CSV, with tabs."""

    name = "tsv"
    suffixes: tuple[str, ...] = (".tsv",)
    delimiter = "\t"
