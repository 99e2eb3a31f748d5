"""Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._classes import named
from medsweep.corpus.readers._header import checked_header
from medsweep.corpus.readers._records import Record, documents
from medsweep.corpus.readers._tokens import TAGS, TOKENS
from medsweep.errors import DataError

BATCH = 256
# A row group is decompressed as a whole; clinical corpora have MBs of text.
LARGEST_GROUP = 2**31
# Columns of records that have no text column of their own.
OTHERS = {TOKENS, TAGS, "passages", "document_id", "events", "coreferences", "relations"}


class Parquet:
    """The columns of JSONL; ``entities`` is JSON or a list of structs.

    Class numbers are read by the names that ``datasets`` writes into the schema. ``tokens`` with
    ``ner_tags``, and BigBio's schema, are read, too.
    """

    name = "parquet"
    suffixes: tuple[str, ...] = (".parquet", ".pq")
    shared_suffixes: tuple[str, ...] = ()
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file, some rows at a time."""
        return documents(_records(path, reading), reading)

    def rows(self, path: Path, _reading: Reading) -> Iterator[Record]:
        """Values by the names of their columns, whatever these are."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(BATCH):
                    yield from batch.to_pylist()
        except (pa.ArrowException, OSError):
            return  # `read` says what is wrong


def _records(path: Path, reading: Reading) -> Iterator[tuple[str, str, Record]]:
    for number, row in enumerate(_rows(path, reading), 1):
        yield f"{path.name}: row {number}", f"{path.stem}-{number}", row


def wanted_columns(names: list[str], reading: Reading, where: str) -> list[str]:
    """The columns to read, which must hold a text or what one is made of."""
    has_own = reading.columns.text in names
    if has_own or not ({TOKENS, TAGS} <= {*names} or {"passages", "entities"} <= {*names}):
        checked_header(names, reading.columns, where)
    others = set() if has_own else OTHERS
    return [c for c in names if c in astuple(reading.columns) or c in others]


def _rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_sizes(file.metadata, path.name)
            schema = file.schema_arrow
            classes = _classes(schema.metadata)
            wanted = wanted_columns(schema.names, reading, path.name)
            for batch in file.iter_batches(BATCH, columns=wanted):
                for row in batch.to_pylist():
                    yield {k: named(v, classes.get(k), path.name) for k, v in row.items()}
    except (pa.ArrowException, UnicodeDecodeError, OverflowError) as error:
        problem = f"not a readable parquet file ({type(error).__name__})"
    except OSError as error:
        # What pyarrow finds wrong in a file is an OSError without a number.
        if error.errno is not None:
            raise
        problem = "not a readable parquet file"
    else:
        return
    raise DataError(problem, where=path.name)


def _classes(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    """The features that Hugging Face's ``datasets`` notes in a schema, by column."""
    try:
        noted = json.loads((metadata or {}).get(b"huggingface", b"{}"))
        features = noted.get("info", {}).get("features", {})
    except (ValueError, AttributeError):
        return {}
    return features if isinstance(features, dict) else {}


def _check_sizes(metadata: Any, where: str) -> None:
    groups = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if max(groups, default=0) > LARGEST_GROUP:
        raise DataError(
            "a row group unpacks to more than a corpus can hold",
            where=where,
            fix="write the file with smaller row groups",
        )
