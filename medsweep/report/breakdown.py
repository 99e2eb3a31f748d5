"""Tables by class and of the search, as strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from medsweep.report import words
from medsweep.report.blocks import Table
from medsweep.report.mistakes import ClassScore, Confusion


def matrix(found: Confusion, name: str, draws: int) -> Table:
    """A confusion matrix, shaded by the share of a gold label's documents."""
    share = found.counts / np.maximum(found.counts.sum(axis=1, keepdims=True), 1e-12)
    return Table(
        ["gold ↓ predicted →", *found.pred],
        [
            [label, *(words.count(n) for n in row)]
            for label, row in zip(found.gold, found.counts, strict=True)
        ],
        f"Documents by gold and predicted label, {name}"
        + (f", mean over {draws} draws." if draws > 1 else "."),
        shades=[[0.0, *(float(s) for s in row)] for row in share],
    )


def classes(scores: Mapping[str, Sequence[ClassScore]], noun: str) -> Table:
    """Precision, recall and F1 by class, for several systems side by side.

    Args:
        scores: by the short name that stands in the columns' heads.
        noun: what a class is called.
    """
    names = sorted({s.name for found in scores.values() for s in found})
    by_name = {system: {s.name: s for s in found} for system, found in scores.items()}
    empty = {n: ClassScore(n, 0, 0.0, 0.0, 0.0) for n in names}
    rows = []
    for name in names:
        found = [by_name[system].get(name, empty[name]) for system in scores]
        row = [name, str(max(s.support for s in found))]
        for s in found:
            row += [words.number(s.precision, 2), words.number(s.recall, 2), words.number(s.f1, 2)]
        rows.append(row)
    heads = [f"{system} {part}" for system in scores for part in ("P", "R", "F1")]
    return Table(
        [noun, "in gold", *heads],
        rows,
        f"Precision (P), recall (R) and F1 by {noun}, over all draws.",
    )


def trials(table: pd.DataFrame) -> list[Table]:
    """Trials by status, and the best of each cell."""
    found = []
    if {"phase", "status"} <= set(table.columns):
        counts = pd.crosstab(table["phase"].astype(str), table["status"].astype(str))
        found.append(
            Table(
                ["phase", *map(str, counts.columns)],
                [
                    [str(phase), *map(str, row)]
                    for phase, row in zip(counts.index, counts.to_numpy().tolist(), strict=True)
                ],
                "Trials by how they ended; stopped trials were stopped early by the search.",
            )
        )
    if {"phase", "model", "train_size", "score"} <= set(table.columns):
        rows = table[table["phase"] == "search"]
        tried = rows.groupby(["model", "train_size"]).size()
        rows = rows.dropna(subset=["score"])
        best = rows.loc[rows.groupby(["model", "train_size"])["score"].idxmax()]
        columns = [
            c for c in ("rank", "alpha", "learning_rate", "top_layers", "dropout") if c in best
        ]
        found.append(
            Table(
                ["model", "n", "trials", "best on dev", *(c.replace("_", " ") for c in columns)],
                [
                    [
                        str(row["model"]),
                        str(row["train_size"]),
                        str(tried[row["model"], row["train_size"]]),
                        words.number(float(row["score"])),
                        *(_value(row[c], c) for c in columns),
                    ]
                    for row in best.to_dict("records")
                ],
                "The best trial of each cell on dev.",
            )
        )
    return [t for t in found if t.rows]


def _value(value: Any, column: str) -> str:
    if value is None or pd.isna(value):
        return "all" if column == "top_layers" else "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
