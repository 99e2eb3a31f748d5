"""Corpus formats by name, and how a format is inferred."""

from __future__ import annotations

import re
from pathlib import Path

from medsweep.corpus._base import Columns, Reader
from medsweep.corpus.readers._lines import numbered_lines
from medsweep.corpus.readers._zip import members
from medsweep.corpus.readers.bioc import Bioc, looks_like_bioc_json, looks_like_bioc_xml
from medsweep.corpus.readers.brat import Brat
from medsweep.corpus.readers.cas_json import CasJson, looks_like_cas_json
from medsweep.corpus.readers.cas_xmi import CasXmi
from medsweep.corpus.readers.conll import Conll, looks_like_conll
from medsweep.corpus.readers.csv import Csv, delimiter_of
from medsweep.corpus.readers.hf import Hf, is_saved
from medsweep.corpus.readers.i2b2_smoking import I2b2Smoking, strip_start
from medsweep.corpus.readers.jsonl import Jsonl
from medsweep.corpus.readers.parquet import Parquet
from medsweep.corpus.readers.pubannotation import Pubannotation, looks_like_pubannotation
from medsweep.corpus.readers.pubtator import Pubtator
from medsweep.corpus.readers.webanno_tsv import WebannoTsv, looks_like_webanno
from medsweep.corpus.readers.xlsx import Xlsx
from medsweep.errors import DataError

_ALL: tuple[Reader, ...] = (
    Jsonl(),
    Csv(),
    Parquet(),
    Xlsx(),
    I2b2Smoking(),
    Conll(),
    Brat(),
    WebannoTsv(),
    CasXmi(),
    CasJson(),
    Bioc(),
    Pubtator(),
    Pubannotation(),
    Hf(),
)
READERS = {reader.name: reader for reader in _ALL}

_SNIFFED = 2**16
_PROLOGUE = re.compile(rb"(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)


def reader_named(name: str) -> Reader:
    """The reader of a format.

    Raises:
        DataError: there is none; names those that exist.
    """
    if name not in READERS:
        raise DataError(f"no format {name!r}", where="format", fix=f"use one of {known()}")
    return READERS[name]


def known() -> str:
    """The formats that exist, for messages."""
    return ", ".join(READERS)


def infer(path: Path, columns: Columns) -> Reader | None:
    """The reader of a file whose ending, or beginning, tells its format; else None."""
    if path.is_dir():
        return READERS["hf"] if is_saved(path) else None
    suffix = path.suffix.lower()
    for reader in READERS.values():
        if suffix in reader.suffixes:
            return reader
    if suffix == ".tsv":
        return _of_tsv(path, columns)
    if suffix == ".xml":
        with path.open("rb") as file:
            return _of_xml(file.read(_SNIFFED))
    if suffix == ".json":
        with path.open("rb") as file:
            return _of_json(file.read(_SNIFFED))
    if suffix == ".zip":
        return _of_zip(path)
    return None


def _of_tsv(path: Path, columns: Columns) -> Reader | None:
    """A table has the text's column in its header; CoNLL has tags in its first lines."""
    if looks_like_webanno(path):
        return READERS["webanno-tsv"]
    _, header = next(numbered_lines(path), (1, ""))
    names = [c.strip().strip('"') for c in header.split(delimiter_of(header, columns))]
    if columns.text in names:
        return READERS["csv"]
    return READERS["conll"] if looks_like_conll(path) else None


def _of_xml(start: bytes) -> Reader | None:
    start = _PROLOGUE.sub(b"", strip_start(start), count=1)
    if looks_like_bioc_xml(start):
        return READERS["bioc"]
    # Unlabelled records look like those of other challenges: then the format has to be named.
    smoking = start.startswith(b"<ROOT") and b"<RECORD" in start and b"<SMOKING" in start
    return READERS["i2b2-smoking"] if smoking else None


def _of_zip(path: Path) -> Reader | None:
    """The format of the first member that tells."""
    for name, raw in members(path, (".xmi", ".json", ".xml")):
        if name.lower().endswith(".xmi"):
            return READERS["cas-xmi"]
        reader = (_of_json if name.lower().endswith(".json") else _of_xml)(raw[:_SNIFFED])
        if reader is not None and ".zip" in reader.shared_suffixes:
            return reader
    return None


def _of_json(start: bytes) -> Reader | None:
    if looks_like_cas_json(start):
        return READERS["cas-json"]
    if looks_like_bioc_json(start):
        return READERS["bioc"]
    return READERS["pubannotation"] if looks_like_pubannotation(start) else None
