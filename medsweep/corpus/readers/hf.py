"""Hugging Face data sets: a folder of ``save_to_disk``, or a hub id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._classes import named
from medsweep.corpus.readers._records import Record, documents
from medsweep.corpus.readers.parquet import wanted_columns
from medsweep.errors import DataError

BATCH = 256

_HUB_ID = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}(?:/[\w.-]{1,96})?")


class Hf:
    """The columns of JSONL, or ``tokens`` and ``ner_tags``; class numbers by their names.

    Of a data set with splits one has to be named: its folder, or ``org/name/split``. Nothing is
    downloaded unless the format is named and no such path exists.
    """

    name = "hf"
    suffixes: tuple[str, ...] = ()
    shared_suffixes: tuple[str, ...] = ()
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a folder, or of a data set of the hub."""
        # Kept in another format (numpy, torch) its values would be arrays.
        data = _one_split(_load(path), path).with_format(None)
        names = [str(c) for c in data.column_names]
        data = data.select_columns(wanted_columns(names, reading, path.name))
        return documents(_records(data, path), reading)


def _records(data: Any, path: Path) -> Iterator[tuple[str, str, Record]]:
    for number, row in enumerate(_rows(data), 1):
        where = f"{path.name}: row {number}"
        values = {c: named(v, data.features[c], where) for c, v in row.items()}
        yield where, f"{path.name}-{number}", values


def is_saved(path: Path) -> bool:
    """Whether a folder was written by ``save_to_disk``."""
    return (path / "dataset_dict.json").is_file() or (
        (path / "state.json").is_file() and (path / "dataset_info.json").is_file()
    )


def is_hub_id(path: Path) -> bool:
    """Whether a path that does not exist may be a hub id, with a split or without."""
    return _HUB_ID.fullmatch(path.as_posix()) is not None and ".." not in path.parts


def _load(path: Path) -> Any:
    import datasets

    # On a damaged folder, and of the hub, datasets raises whatever it meets; its messages may
    # quote rows.
    try:
        if path.exists():
            return _validated(datasets.load_from_disk(str(path)))
        owner, name, *split = path.parts
        return datasets.load_dataset(f"{owner}/{name}", split=split[0] if split else None)
    except Exception as error:
        problem = f"not a data set that can be loaded ({type(error).__name__})"
    raise DataError(
        problem, where=str(path), fix="name a folder written by save_to_disk, or a hub id"
    )


def _validated(data: Any) -> Any:
    """``data``, whose offsets arrow follows unchecked, out of its memory where they are damaged."""
    for split in data.values() if isinstance(data, dict) else [data]:
        split.data.validate(full=True)
    return data


def _one_split(data: Any, path: Path) -> Any:
    import datasets

    if not isinstance(data, datasets.DatasetDict):
        return data
    if len(data) == 1:
        return next(iter(data.values()))
    names = [n for n in map(str, data) if re.fullmatch(r"[\w.-]{1,40}", n)]
    raise DataError(
        f"the data set has {len(data)} splits ({', '.join(names[:20])})",
        where=str(path),
        fix=f"name one: {path.as_posix()}/{names[0] if names else 'SPLIT'}",
    )


def _rows(data: Any) -> Iterator[dict[str, Any]]:
    for batch in data.iter(BATCH):
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(batch, values, strict=True))
