"""Predictions of made-up systems on made-up documents, and the sweep around them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from medsweep.stats.decide import decide

CLASSES = ("current smoker", "past smoker", "non-smoker", "unknown")
PARAMS = {"minilm": 22_700_000, "smollm2-135m": 134_515_008, "llama-3.1-8b": 8_030_261_248}
SKILL = {"minilm": 0.92, "smollm2-135m": 0.955, "llama-3.1-8b": 0.96}


class World:
    """Documents with gold values; systems agree on which of them are hard."""

    def __init__(
        self, task: str, documents: int, seed: int, classes: Sequence[str] = CLASSES
    ) -> None:
        self.task, self.classes = task, tuple(classes)
        self.rng = np.random.default_rng(seed)
        self.ids = [f"doc-{i:04d}" for i in range(documents)]
        self.hard = self.rng.random(documents)
        self.values = [self._gold() for _ in self.ids]

    def _gold(self) -> Any:
        if self.task == "classification":
            return self.classes[int(self.rng.choice(len(self.classes), p=self._shares()))]
        starts = np.cumsum(self.rng.integers(12, 60, self.rng.integers(0, 6)))
        return [[int(s), int(s) + 9, str(self.rng.choice(self.classes))] for s in starts]

    def _shares(self) -> np.ndarray:
        shares = 0.55 ** np.arange(len(self.classes))
        return shares / shares.sum()

    def rows(
        self, arm: str, model: str, size: int, draw: int, skill: float, unparsable: float = 0.0
    ) -> pd.DataFrame:
        wrong = 0.8 * self.hard + 0.2 * self.rng.random(len(self.ids)) > skill
        lost = self.rng.random(len(self.ids)) < unparsable
        preds = [
            "" if gone else self._text(self._mistake(v) if bad else v)
            for v, bad, gone in zip(self.values, wrong, lost, strict=True)
        ]
        return pd.DataFrame(
            {
                "arm": arm,
                "model": model,
                "train_size": size,
                "draw": draw,
                "doc_id": self.ids,
                "gold": [self._text(v) for v in self.values],
                "pred": preds,
            }
        )

    def _mistake(self, value: Any) -> Any:
        if self.task == "classification":
            others = [c for c in self.classes if c != value]
            return str(self.rng.choice(others))
        return [[s, e + int(self.rng.integers(0, 2)), t] for s, e, t in value[1:]]

    def _text(self, value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value)


def predictions(
    task: str = "classification",
    *,
    documents: int = 500,
    sizes: Sequence[int] = (25, 50, 100, 200),
    draws: int = 3,
    models: Sequence[str] = tuple(PARAMS)[:2],
    lift: float = 0.0,
    seed: int = 0,
    classes: Sequence[str] = CLASSES,
) -> pd.DataFrame:
    """A tuned large reference, tuned candidates and three plain arms.

    ``lift`` is added to the candidates' skill.
    """
    world = World(task, documents, seed, classes)
    last = sizes[-1]
    frames = [world.rows("finetuned", "llama-3.1-8b", last, d, 0.95) for d in range(draws)]
    frames.append(world.rows("majority", "", 0, 0, 0.5))
    frames.append(world.rows("zero_shot", "llama-3.1-8b", 0, 0, 0.8, unparsable=0.07))
    for i, size in enumerate(sizes):
        gap = 0.35 * 0.4**i
        for draw in range(draws):
            jitter = float(world.rng.normal(0, 0.01))
            frames.append(world.rows("tfidf", "", size, draw, 0.8 - gap + jitter))
            for model in models:
                skill = SKILL[model] + lift - gap + jitter
                frames.append(world.rows("finetuned", model, size, draw, skill))
                frames.append(world.rows("probe", model, size, draw, 0.84 - gap + jitter))
    return pd.concat(frames, ignore_index=True)


def verdict(table: pd.DataFrame, task: str = "classification", **options: Any) -> dict[str, Any]:
    """The verdict on such a table, as in verdict.json."""
    settings: dict[str, Any] = {
        "task": task,
        "metric": "macro_f1" if task == "classification" else "span_f1",
        "reference": {"arm": "finetuned", "model": "llama-3.1-8b"},
        "margin": 0.05,
        "params": PARAMS,
        "dev_labels": 40,
        "name": "smoking-status",
        "provenance": {"data_sha256": "ab" * 32, "seed": 0, "versions": {"numpy": "2.0"}},
    }
    return decide(table, **{**settings, **options}).to_dict()


def trials(sizes: Sequence[int] = (25, 50, 100, 200), number: int = 6) -> pd.DataFrame:
    """A trials table with the columns of trials.parquet."""
    rng = np.random.default_rng(1)
    rows = []
    for model in tuple(PARAMS)[:2]:
        for size in sizes:
            for i in range(number):
                status = ("finished", "stopped", "failed")[int(rng.choice(3, p=[0.5, 0.4, 0.1]))]
                rate = float(np.exp(rng.uniform(np.log(1e-4), np.log(2e-3))))
                rows.append(
                    {
                        "trial_id": f"{model}-n{size}-t{i:02d}",
                        "model": model,
                        "train_size": size,
                        "fold": 0,
                        "draw": 0,
                        "phase": "search",
                        "number": i,
                        "status": status,
                        "rank": int(rng.choice([4, 8, 16])),
                        "alpha": 16.0,
                        "learning_rate": rate,
                        "top_layers": None,
                        "dropout": 0.0,
                        "score": None if status == "failed" else float(rng.uniform(0.5, 0.9)),
                    }
                )
            rows.append({**rows[-1], "phase": "confirm", "status": "finished", "score": 0.8})
    table = pd.DataFrame(rows)
    table["top_layers"] = table["top_layers"].astype("Int64")
    return table


SWEEP = {
    "name": "smoking-status",
    "draws": 3,
    "search": {
        "trials": 6,
        "rank": [4, 8, 16],
        "top_layers": [3, "all"],
        "learning_rate": {"low": 1e-4, "high": 2e-3, "log": True},
        "epochs": 8,
    },
    "early_stopping": {"reduction_factor": 3.0, "grace": 0.125},
}
