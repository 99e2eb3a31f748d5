"""Hugging Face data sets: a folder of ``save_to_disk``, or a hub id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._fields import dump_entities
from medsweep.corpus.readers._table import row_document
from medsweep.corpus.readers.conll import checked_tag, decode_tags
from medsweep.corpus.readers.csv import checked_header
from medsweep.errors import DataError

BATCH = 256
JOINED = "texts made of tokens with single spaces"
# Columns of token data sets on the hub.
TOKENS, TAGS = "tokens", "ner_tags"

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
        data = _one_split(_load(path), path)
        # Kept in another format (numpy, torch) its values would be arrays.
        data = data.with_format(None)
        names = [str(c) for c in data.column_names]
        tokens = reading.columns.text not in names and {TOKENS, TAGS} <= set(names)
        if not tokens:
            checked_header(names, reading.columns, path.name)
        wanted = {*astuple(reading.columns), *((TOKENS, TAGS) if tokens else ())}
        data = data.select_columns([c for c in names if c in wanted])
        for number, row in enumerate(_rows(data), 1):
            where = f"{path.name}: row {number}"
            named = {c: _named(v, data.features[c], where) for c, v in row.items()}
            spans = None
            if tokens:
                named[reading.columns.text], spans = _of_tokens(named, where)
                reading.changes[JOINED] += 1
            if spans is not None:
                named[reading.columns.entities] = spans
            id_ = f"{path.name}-{number}"
            yield row_document(named, reading.columns, where, id_, reading.changes)


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


def _named(value: Any, feature: Any, where: str) -> Any:
    """Numbers of classes as their names, in lists and structures too; -1 stands for no class."""
    # In datasets 3 a list of structures may be a plain list with one element.
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", feature)
    if isinstance(value, list):
        return [_named(v, inner, where) for v in value]
    if isinstance(value, dict) and isinstance(inner, dict):
        return {key: _named(v, inner.get(key), where) for key, v in value.items()}
    names = getattr(inner, "names", None)
    if value is None or not names:
        return value
    if value == -1:
        return None
    if type(value) is not int or not 0 <= value < len(names):
        raise DataError("the number of a class that does not exist", where=where)
    return str(names[value])


def _of_tokens(row: dict[str, Any], where: str) -> tuple[str, list[dict[str, Any]]]:
    tokens, tags = row.get(TOKENS), row.get(TAGS)
    if not (
        isinstance(tokens, list)
        and isinstance(tags, list)
        and len(tokens) == len(tags)
        and all(isinstance(t, str) for t in (*tokens, *tags))
    ):
        raise DataError(f"{TOKENS} and {TAGS} are not lists of equal length", where=where)
    spans = decode_tags(tokens, [checked_tag(t, where) for t in tags], 0)
    return " ".join(tokens), dump_entities(tuple(spans))
