"""Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._table import row_document
from medsweep.corpus.readers.csv import checked_header
from medsweep.errors import DataError

BATCH = 256
# A row group is decompressed as a whole; clinical corpora have MBs of text.
LARGEST_GROUP = 2**31


class Parquet:
    """The columns of JSONL; ``entities`` is JSON or a list of structs."""

    name = "parquet"
    suffixes: tuple[str, ...] = (".parquet", ".pq")
    shared_suffixes: tuple[str, ...] = ()
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file, some rows at a time."""
        columns = reading.columns
        for number, row in enumerate(_rows(path, reading), 1):
            where, id_ = f"{path.name}: row {number}", f"{path.stem}-{number}"
            yield row_document(row, columns, where, id_, reading.changes)


def _rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_sizes(file.metadata, path.name)
            header = checked_header(file.schema_arrow.names, reading.columns, path.name)
            wanted = [c for c in header if c in astuple(reading.columns)]
            for batch in file.iter_batches(BATCH, columns=wanted):
                yield from batch.to_pylist()
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


def _check_sizes(metadata: Any, where: str) -> None:
    groups = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if max(groups, default=0) > LARGEST_GROUP:
        raise DataError(
            "a row group unpacks to more than a corpus can hold",
            where=where,
            fix="write the file with smaller row groups",
        )
