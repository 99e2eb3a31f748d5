"""Formats that documents can be written in, by name and by a file's ending."""

from __future__ import annotations

from pathlib import Path

from medsweep.corpus.writers._base import Writer
from medsweep.corpus.writers.brat import Brat
from medsweep.corpus.writers.conll import Conll
from medsweep.corpus.writers.jsonl import Jsonl
from medsweep.corpus.writers.table import Csv, Tsv
from medsweep.corpus.writers.webanno_tsv import WebannoTsv
from medsweep.errors import ConfigError

_ALL: tuple[Writer, ...] = (Jsonl(), Csv(), Tsv(), Conll(), Brat(), WebannoTsv())
WRITERS = {writer.name: writer for writer in _ALL}


def writer_for(path: Path, to: str | None) -> Writer:
    """The writer that is named, or that the ending of ``path`` tells.

    Raises:
        ConfigError: there is none.
    """
    if to is not None:
        if to not in WRITERS:
            raise ConfigError(
                f"no format {to!r} to write", where="--to", fix=f"use one of {', '.join(WRITERS)}"
            )
        return WRITERS[to]
    for writer in _ALL:
        if path.suffix.lower() in writer.suffixes:
            return writer
    endings = ", ".join(s for w in _ALL for s in w.suffixes)
    raise ConfigError(
        "the ending does not tell the format to write",
        where=str(path),
        fix=f"end it with one of {endings}, or name the format with --to",
    )
