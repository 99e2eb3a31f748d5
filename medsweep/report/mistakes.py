"""Which classes a system confuses: counts over all documents, never a single one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from medsweep.report import words
from medsweep.stats.values import decode_attributes, decode_labels, decode_spans, label_text

UNPARSABLE = "(unparsable)"
OTHER = "(other label)"


@dataclass(frozen=True)
class Confusion:
    """Documents by gold and predicted label, as a mean over draws.

    Attributes:
        gold: labels of the rows.
        pred: labels of the columns: those of ``gold``, then what else was predicted.
        counts: (gold, pred).
    """

    gold: list[str]
    pred: list[str]
    counts: NDArray[np.float64]


@dataclass(frozen=True)
class ClassScore:
    """One class or entity type."""

    name: str
    support: int
    precision: float
    recall: float
    f1: float


def rows_of(predictions: pd.DataFrame, system: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of one system, all draws: ``system`` has ``arm``, ``model``, ``train_size``."""
    model = predictions["model"].astype(object).where(predictions["model"].notna(), "")
    size = pd.to_numeric(predictions["train_size"], errors="coerce").fillna(0).astype(int)
    mask = (
        (predictions["arm"].astype(str) == system["arm"])
        & (model.astype(str) == (system["model"] or ""))
        & (size == int(system["train_size"] or 0))
    )
    rows: pd.DataFrame = predictions.loc[mask, ["draw", "gold", "pred"]].copy()
    rows["pred"] = rows["pred"].map(label_text)
    rows["gold"] = rows["gold"].map(label_text)
    rows["draw"] = rows["draw"].fillna(0)
    return rows


def confusion_matrix(rows: pd.DataFrame) -> Confusion:
    """Count labels; a prediction that is no gold label is one of two last columns."""
    classes = sorted(set(rows["gold"]))
    known = set(classes)

    def column(value: str) -> str:
        return value if value in known else OTHER if value else UNPARSABLE

    pred = rows["pred"].map(column)
    extra = [name for name in (OTHER, UNPARSABLE) if (pred == name).any()]
    table = pd.crosstab(rows["gold"], pred).reindex(
        index=classes, columns=classes + extra, fill_value=0
    )
    draws = max(1, rows["draw"].nunique())
    return Confusion(classes, classes + extra, table.to_numpy(dtype=float) / draws)


def label_scores(found: Confusion) -> list[ClassScore]:
    """Precision, recall and F1 of every gold label, over all draws together."""
    size = len(found.gold)
    hits = found.counts[np.arange(size), np.arange(size)]
    return [
        _class(name, hits[i], found.counts[:, i].sum(), found.counts[i].sum())
        for i, name in enumerate(found.gold)
    ]


def item_scores(
    rows: pd.DataFrame, of: Literal["labels", "types", "attributes"]
) -> list[ClassScore]:
    """Precision, recall and F1 of every label, entity type or field, over all draws together."""
    items_of: Callable[[str, str], frozenset[Any]] = {
        "labels": decode_labels,
        "types": decode_spans,
        "attributes": decode_attributes,
    }[of]
    hit: dict[str, int] = {}
    found: dict[str, int] = {}
    there: dict[str, int] = {}
    for gold_text, pred_text in zip(rows["gold"], rows["pred"], strict=True):
        gold = items_of(gold_text, "predictions: gold")
        pred = items_of(pred_text, "predictions: pred") if pred_text else frozenset()
        for totals, items in ((there, gold), (found, pred), (hit, gold & pred)):
            for item in items:
                kind = item if of == "labels" else str(item[1])
                totals[kind] = totals.get(kind, 0) + 1
    draws = max(1, rows["draw"].nunique())
    return [
        _class(
            kind, hit.get(kind, 0) / draws, found.get(kind, 0) / draws, there.get(kind, 0) / draws
        )
        for kind in sorted({*there, *found})
    ]


def _class(name: str, hit: float, pred: float, gold: float) -> ClassScore:
    return ClassScore(
        name=name,
        support=round(gold),
        precision=float(hit / pred) if pred else 0.0,
        recall=float(hit / gold) if gold else 0.0,
        f1=float(2 * hit / (pred + gold)) if pred + gold else 0.0,
    )


def focus(verdict: Mapping[str, Any]) -> dict[str, Any] | None:
    """The candidate whose mistakes are shown: the smallest match, else the highest score."""
    chosen = verdict["smallest"] or verdict["fewest_labels"]
    if chosen is None and verdict["cells"]:
        chosen = max(verdict["cells"], key=lambda c: c["score"])
    if chosen is None:
        return None
    return {
        "arm": words.candidate_arm(verdict),
        "model": chosen["model"],
        "train_size": chosen["train_size"],
    }


def confusion_of(
    verdict: Mapping[str, Any], predictions: pd.DataFrame, system: Mapping[str, Any]
) -> Confusion | None:
    """The confusion matrix of one system, ``None`` where classes are not alternatives."""
    if verdict["task"] != "classification":
        return None
    rows = rows_of(predictions, system)
    return confusion_matrix(rows) if len(rows) else None
