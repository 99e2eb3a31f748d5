"""A table of predictions, checked, as arrays: one row a system (arm, model, size, draw)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medsweep.errors import DataError
from medsweep.stats.values import label_text, look_alike, same_value

COLUMNS = ("arm", "model", "train_size", "draw", "doc_id", "gold", "pred")


@dataclass(frozen=True)
class Entry:
    """One arm with one model and one training size, and the rows of its draws.

    Attributes:
        arm: its name.
        model: slug, or ``None`` for an arm without a model.
        train_size: documents, or ``None`` for an arm that does not train.
        draws: draw numbers, ascending.
        rows: index of each draw in :attr:`Panel.preds`.
    """

    arm: str
    model: str | None
    train_size: int | None
    draws: tuple[int, ...]
    rows: tuple[int, ...]

    @property
    def place(self) -> str:
        """How messages call it."""
        model = f" {self.model}" if self.model else ""
        size = f" n={self.train_size}" if self.train_size is not None else ""
        return f"{self.arm}{model}{size}"


@dataclass(frozen=True)
class Panel:
    """Every system's predictions on the same documents.

    Attributes:
        ids: the documents' ids, sorted.
        gold: (documents,).
        preds: (systems, documents), in the order of ``ids``.
        entries: what the rows of ``preds`` belong to.
        groups: (documents,): group number of each document, or ``None``.
    """

    ids: list[str]
    gold: NDArray[np.object_]
    preds: NDArray[np.object_]
    entries: list[Entry]
    groups: NDArray[np.intp] | None

    @property
    def digest(self) -> str:
        """One hash over ids and gold: what a test set is known by."""
        digest = hashlib.sha256()
        for part in (text for pair in zip(self.ids, self.gold, strict=True) for text in pair):
            digest.update(str(part).encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()


def read_panel(
    frame: pd.DataFrame, task: str, groups: Mapping[str, str] | str | None = None
) -> Panel:
    """Check a table of predictions and arrange it.

    Args:
        frame: the columns of ``predictions.parquet``. An arm without a model has ``""`` or a
            missing value there, one that does not train 0 or a missing value as ``train_size``.
            An unparsable ``pred`` is ``""`` or missing.
        task: its kind, which says when two values of gold are the same.
        groups: group by document id, or the name of a column; a document without one is a group
            of its own.

    Raises:
        DataError: a column or a gold value is missing, a row is doubled, a document has two gold
            values, or a system did not predict exactly the same documents as the others.
    """
    table = normalise(frame)
    keys = ["arm", "model", "train_size", "draw"]
    system = table.groupby(keys, sort=True).ngroup().to_numpy(dtype=np.intp)
    codes, ids = pd.factorize(table["doc_id"], sort=True)
    names = table[keys].drop_duplicates().sort_values(keys).to_numpy().tolist()
    preds = _arrange(table, system, codes, ids, names)
    gold = _gold(table, codes, ids, task)

    entries: dict[tuple[str, str | None, int | None], list[tuple[int, int]]] = {}
    for row, (arm, model, size, draw) in enumerate(names):
        key = (arm, model or None, int(size) or None)
        entries.setdefault(key, []).append((int(draw), row))
    return Panel(
        ids=[str(i) for i in ids],
        gold=gold,
        preds=preds,
        entries=[
            Entry(*key, tuple(d for d, _ in rows), tuple(r for _, r in rows))
            for key, rows in entries.items()
        ],
        groups=_groups(table, ids, groups),
    )


def normalise(frame: pd.DataFrame) -> pd.DataFrame:
    """The table without missing values: ``""`` for no model and no answer, 0 for no training.

    Raises:
        DataError: a column is missing, or holds what it cannot.
    """
    absent = [c for c in COLUMNS if c not in frame.columns]
    if absent:
        raise DataError(
            f"predictions lack the column {', '.join(absent)}",
            fix="give the columns " + ", ".join(COLUMNS),
        )
    if frame.empty:
        raise DataError("there are no predictions", fix="give at least one row a document")
    table = frame.reset_index(drop=True)
    if table["doc_id"].isna().any() or table["gold"].isna().any() or table["arm"].isna().any():
        row = int(table[["doc_id", "gold", "arm"]].isna().any(axis=1).to_numpy().argmax())
        raise DataError("arm, doc_id or gold is missing", where=f"predictions row {row}")
    out = {c: _text(table[c]) for c in ("arm", "model", "doc_id", "gold", "pred")}
    for column, missing in (("train_size", 0), ("draw", 0)):
        try:
            numbers = pd.to_numeric(table[column]).fillna(missing)
        except (ValueError, TypeError):
            raise DataError(
                f"the column {column} holds something that is no number", where="predictions"
            ) from None
        if (numbers != numbers.round()).any():
            raise DataError(f"the column {column} must hold whole numbers", where="predictions")
        out[column] = numbers.astype(int)
    if (out["train_size"] < 0).any():
        raise DataError("the column train_size is below 0 somewhere", where="predictions")
    rest = {c: table[c] for c in table.columns if c not in out}
    return pd.DataFrame({**out, **rest})


def _text(values: pd.Series) -> pd.Series:
    """Values in the one form in which they are compared; ``""`` for missing ones."""
    try:
        codes, different = pd.factorize(values.astype(object), use_na_sentinel=True)
    except TypeError:
        raise DataError(
            f"the column {values.name} holds lists", where="predictions", fix="write them as JSON"
        ) from None
    # Code −1, a missing value, is the last one.
    texts = np.array([*map(label_text, different), ""], dtype=object)
    return pd.Series(texts[codes], index=values.index, dtype=object)


def _arrange(
    table: pd.DataFrame,
    system: NDArray[np.integer],
    codes: NDArray[np.integer],
    ids: pd.Index[str],
    names: list[list[object]],
) -> NDArray[np.object_]:
    seen = np.bincount(system * len(ids) + codes, minlength=len(names) * len(ids))
    seen = seen.reshape(len(names), len(ids))
    for wrong, problem, fix in (
        (seen > 1, "is there more than once", "keep one row a document"),
        (seen < 1, "is missing", "predict every test document with every arm"),
    ):
        if wrong.any():
            row, doc = (int(i) for i in np.argwhere(wrong)[0])
            arm, model, size, draw = names[row]
            size_text = f" n={size}" if size else ""
            other = look_alike(ids, ids[doc])
            if other is not None:
                problem, fix = f"{problem}; {other} only looks different", "write ids in one way"
            raise DataError(
                f"document {ids[doc]} {problem} ({int(wrong[row].sum())} of {len(ids)} are)",
                where=" ".join(f"predictions: {arm} {model}{size_text} draw {draw}".split()),
                fix=fix,
            )
    preds = np.empty(seen.shape, dtype=object)
    preds[system, codes] = table["pred"].to_numpy()
    return preds


def _gold(
    table: pd.DataFrame, codes: NDArray[np.integer], ids: pd.Index[str], task: str
) -> NDArray[np.object_]:
    values = table["gold"].to_numpy()
    gold = np.empty(len(ids), dtype=object)
    gold[codes] = values
    different = np.flatnonzero(gold[codes] != values)
    for row in different:
        where = f"predictions: document {ids[codes[row]]}"
        if not same_value(task, gold[codes[row]], values[row], f"{where}: gold"):
            raise DataError(
                "has different gold values in different rows",
                where=where,
                fix="use one gold value a document",
            )
    return gold


def _groups(
    table: pd.DataFrame, ids: pd.Index[str], groups: Mapping[str, str] | str | None
) -> NDArray[np.intp] | None:
    """Group numbers; a document without a group is one of its own."""
    if groups is None:
        return None
    if isinstance(groups, str):
        if groups not in table:
            raise DataError(f"predictions lack the column {groups}", where="groups")
        pairs = pd.DataFrame({"doc_id": table["doc_id"], "group": _text(table[groups])})
        pairs = pairs[pairs["group"] != ""].drop_duplicates()
        if pairs["doc_id"].duplicated().any():
            name = pairs.loc[pairs["doc_id"].duplicated(), "doc_id"].iloc[0]
            raise DataError("is in two groups", where=f"document {name}")
        groups = dict(zip(pairs["doc_id"], pairs["group"], strict=True))
    known = {label_text(name): label_text(group) for name, group in groups.items()}
    numbers: dict[tuple[str, bool], int] = {}
    found = [(known.get(i) or i, bool(known.get(i))) for i in ids]
    return np.array([numbers.setdefault(name, len(numbers)) for name in found], dtype=np.intp)
