"""Corpus formats by name, and how a format is inferred."""

from __future__ import annotations

import re
from pathlib import Path

from medsweep.corpus._base import Columns, Reader
from medsweep.corpus.readers._lines import numbered_lines
from medsweep.corpus.readers.conll import Conll, looks_like_conll
from medsweep.corpus.readers.csv import Csv, delimiter_of
from medsweep.corpus.readers.i2b2_smoking import I2b2Smoking, strip_start, xml_members
from medsweep.corpus.readers.jsonl import Jsonl
from medsweep.errors import DataError

_ALL: tuple[Reader, ...] = (Jsonl(), Csv(), I2b2Smoking(), Conll())
READERS = {reader.name: reader for reader in _ALL}
_TO_COME = (
    "parquet",
    "xlsx",
    "brat",
    "webanno-tsv",
    "cas-xmi",
    "cas-json",
    "bioc",
    "pubtator",
    "pubannotation",
    "hf",
)

_SNIFFED = 2**16
_PROLOGUE = re.compile(rb"(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)


def reader_named(name: str) -> Reader:
    """The reader of a format.

    Raises:
        DataError: there is none; names those that exist.
    """
    if name not in READERS:
        problem = f"format {name} is not built yet" if name in _TO_COME else f"no format {name!r}"
        raise DataError(problem, where="format", fix=f"use one of {known()}")
    return READERS[name]


def known() -> str:
    """The formats that exist, for messages."""
    return ", ".join(READERS)


def infer(path: Path, columns: Columns) -> Reader | None:
    """The reader of a file whose ending, or beginning, tells its format; else None."""
    suffix = path.suffix.lower()
    for reader in READERS.values():
        if suffix in reader.suffixes:
            return reader
    if suffix == ".tsv":
        return _of_tsv(path, columns)
    if suffix == ".xml":
        with path.open("rb") as file:
            return _of_xml(file.read(_SNIFFED))
    if suffix == ".zip":
        return _of_xml(next(xml_members(path))[1])
    return None


def _of_tsv(path: Path, columns: Columns) -> Reader | None:
    """A table has the text's column in its header; CoNLL has tags in its first lines."""
    _, header = next(numbered_lines(path), (1, ""))
    names = [c.strip().strip('"') for c in header.split(delimiter_of(header, columns))]
    if columns.text in names:
        return READERS["csv"]
    return READERS["conll"] if looks_like_conll(path) else None


def _of_xml(start: bytes) -> Reader | None:
    start = _PROLOGUE.sub(b"", strip_start(start), count=1)
    # Unlabelled records look like those of other challenges: then the format has to be named.
    smoking = start.startswith(b"<ROOT") and b"<RECORD" in start and b"<SMOKING" in start
    return READERS["i2b2-smoking"] if smoking else None
