"""Corpus formats by name, and how a format is inferred."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from medsweep.corpus._base import Reader, Reading
from medsweep.corpus.readers._lines import numbered_lines
from medsweep.corpus.readers.bioc import Bioc, looks_like_bioc_json, looks_like_bioc_xml
from medsweep.corpus.readers.bionlp_st import BionlpSt
from medsweep.corpus.readers.brat import Brat
from medsweep.corpus.readers.cadec import Cadec, looks_like_cadec
from medsweep.corpus.readers.cas_json import CasJson, looks_like_cas_json
from medsweep.corpus.readers.cas_xmi import CasXmi, looks_like_xmi
from medsweep.corpus.readers.conll import Conll, looks_like_conll
from medsweep.corpus.readers.csv import Csv, delimiter_of
from medsweep.corpus.readers.hf import Hf, is_saved
from medsweep.corpus.readers.i2b2_2010 import I2b22010
from medsweep.corpus.readers.i2b2_smoking import I2b2Smoking, strip_start
from medsweep.corpus.readers.i2b2_tags import I2b22012, I2b22014, N2c22018, format_of_tags
from medsweep.corpus.readers.jsonl import (
    Doccano,
    Json,
    Jsonl,
    LabelStudio,
    Prodigy,
    looks_like_records,
)
from medsweep.corpus.readers.parquet import Parquet
from medsweep.corpus.readers.pubannotation import Pubannotation, looks_like_pubannotation
from medsweep.corpus.readers.pubtator import Pubtator, looks_like_pubtator
from medsweep.corpus.readers.spacy import Spacy
from medsweep.corpus.readers.txt_classes import TxtClasses, looks_like_classes
from medsweep.corpus.readers.webanno_tsv import WebannoTsv, looks_like_webanno
from medsweep.corpus.readers.xlsx import Xlsx
from medsweep.errors import DataError

_ALL: tuple[Reader, ...] = (
    Jsonl(),
    Json(),
    Csv(),
    Parquet(),
    Xlsx(),
    LabelStudio(),
    Doccano(),
    Prodigy(),
    Spacy(),
    I2b2Smoking(),
    I2b22010(),
    I2b22012(),
    I2b22014(),
    N2c22018(),
    Conll(),
    Brat(),
    BionlpSt(),
    Cadec(),
    WebannoTsv(),
    CasXmi(),
    CasJson(),
    Bioc(),
    Pubtator(),
    Pubannotation(),
    TxtClasses(),
    Hf(),
)
READERS = {reader.name: reader for reader in _ALL}
# Formats whose corpus is a folder as a whole.
WHOLE = ("hf", "cadec", "txt-classes")
# Formats that read the files of another one, too: of n2c2 2018 the second track is brat's.
ALIKE = {("n2c2-2018", "brat"), ("i2b2-2012", "i2b2-2014"), ("i2b2-2014", "i2b2-2012")}

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


def infer(path: Path, reading: Reading) -> Reader | None:
    """The reader of a file whose ending, or content, tells its format; else None.

    Raises:
        DataError: the file is of a format that cannot be read; says which.
    """
    suffix = path.suffix.lower()
    for reader in READERS.values():
        if suffix in reader.suffixes:
            return reader
    if suffix in (".tsv", ".tab"):
        return _of_tsv(path, reading)
    if suffix == ".txt":
        return _of_txt(path, reading)
    if suffix == ".xml":
        with path.open("rb") as file:
            return _of_xml(file.read(_SNIFFED))
    if suffix == ".json":
        return _of_json(path, reading)
    if suffix in (".xls", ".xlsb", ".xlsm", ".ods"):
        raise DataError(
            f"a workbook of the kind {suffix}", where=path.name, fix="save it as .xlsx or .csv"
        )
    return None


def infer_folder(path: Path) -> Reader | None:
    """The format of a folder that is a corpus as a whole; None where its files tell theirs."""
    if is_saved(path):
        return READERS["hf"]
    if looks_like_cadec(path):
        return READERS["cadec"]
    return READERS["txt-classes"] if looks_like_classes(path) else None


def _of_tsv(path: Path, reading: Reading) -> Reader | None:
    """A table has the text's column in its header; CoNLL has tags in its first lines."""
    if looks_like_webanno(path):
        return READERS["webanno-tsv"]
    _, header = next(numbered_lines(path, reading), (1, ""))
    columns = reading.columns
    names = [c.strip().strip('"') for c in header.split(delimiter_of(header, columns))]
    if columns.text in names or header.lower().startswith("sep="):
        return READERS["csv"]
    return READERS["conll"] if looks_like_conll(path, reading) else None


def _of_txt(path: Path, reading: Reading) -> Reader | None:
    """Files that are called texts and hold a corpus; those of others' texts are none."""
    if path.with_suffix(".ann").exists() or path.with_suffix(".a1").exists():
        return None
    if looks_like_pubtator(path):
        return READERS["pubtator"]
    lines = (line for _, line in islice(numbered_lines(path, reading), 5) if line.strip())
    # Prose may look like words with tags, or begin with the text column's name.
    return _of_tsv(path, reading) if "\t" in next(lines, "") else None


def _of_xml(start: bytes) -> Reader | None:
    start = _PROLOGUE.sub(b"", strip_start(start), count=1)
    if looks_like_bioc_xml(start):
        return READERS["bioc"]
    if looks_like_xmi(start):
        return READERS["cas-xmi"]
    if tags := format_of_tags(start):
        return READERS[tags]
    # Unlabelled records look like those of other challenges: then the format has to be named.
    smoking = start.startswith(b"<ROOT") and b"<RECORD" in start and b"<SMOKING" in start
    return READERS["i2b2-smoking"] if smoking else None


def _of_json(path: Path, reading: Reading) -> Reader | None:
    """By keys that only one format has, wherever in the file; else by the first record."""
    raw = path.read_bytes()
    if looks_like_cas_json(raw):
        return READERS["cas-json"]
    if looks_like_bioc_json(raw):
        return READERS["bioc"]
    if looks_like_pubannotation(raw):
        return READERS["pubannotation"]
    name = looks_like_records(path, reading)
    return None if name is None else READERS[name]
