"""A reference that is no better than the majority shows nothing by being matched."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from medsweep.stats.decide import BARRED, decide
from medsweep.stats.sensitivity import majority_value
from tests.stats.test_decide import PARAMS, World, run, sweep


def world(reference: float, candidate: float, draws: int = 3) -> pd.DataFrame:
    made = World()
    return pd.concat(
        [made.predict("finetuned", "small", 50, d, candidate) for d in range(draws)]
        + [made.predict("zero_shot", "huge", None, 0, reference)]
    )


@pytest.mark.parametrize("draws", [1, 3])
@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_a_reference_at_the_majority_is_not_worth_matching(draws: int, metric: str) -> None:
    frame = world(0.55, 0.55, draws)
    frame["pred"] = "never"
    found = run(frame, metric=metric)
    assert found.sensitivity is not None
    assert (found.sensitivity.passed, found.sensitivity.diff) == (False, 0.0)
    assert (found.smallest, found.fewest_labels, found.simplest) == (None, None, None)
    assert found.reason == BARRED
    assert not any(c.non_inferior or c.adapter.non_inferior for c in found.cells)
    assert not any(a.non_inferior for a in found.arms)
    blind = run(frame, metric=metric, sensitivity=False)
    assert blind.fewest_labels is not None
    assert blind.sensitivity is None


def test_nought_against_nought_is_no_match() -> None:
    rows = [
        (arm, "m", 10, d, f"d{i}", json.dumps([[i, i + 3, "Drug"]]), "[]")
        for arm, draws in (("finetuned", 3), ("few_shot", 1))
        for d in range(draws)
        for i in range(80)
    ]
    columns = ["arm", "model", "train_size", "draw", "doc_id", "gold", "pred"]
    found = decide(
        pd.DataFrame(rows, columns=columns),
        task="ner",
        metric="span_f1",
        reference={"arm": "few_shot"},
        margin=0.05,
        params={"m": 1},
    )
    assert found.fewest_labels is None
    assert found.reason == BARRED


def test_a_good_reference_passes_and_stands_beside_the_best_plain_arm() -> None:
    made = World()
    plain = [made.predict(arm, None, size, 0, score) for arm, size, score in
             (("rules", None, 0.7), ("tfidf", 50, 0.6), ("tfidf", 200, 0.8))]  # fmt: skip
    found = run(pd.concat([sweep(), *plain])).sensitivity
    assert found is not None
    assert found.passed
    assert found.diff_lower > 0.05
    assert found.p_value < 0.05
    best: Any = found.best_plain
    assert (best.arm, best.train_size, best.score) == ("tfidf", 200, pytest.approx(0.8, abs=0.01))
    assert best.diff_lower < best.diff == pytest.approx(0.1, abs=0.01)


def test_a_baseline_as_reference_is_held_against_the_majority() -> None:
    made = World()
    frame = pd.concat(
        [made.predict("finetuned", "small", 50, d, 0.9) for d in range(2)]
        + [made.predict("majority", None, None, 0, 0.5), made.predict("tfidf", None, 50, 0, 0.9)]
    )
    assert run(frame, reference={"arm": "tfidf"}, params=PARAMS).smallest is not None
    floor = run(frame, reference={"arm": "majority"}, params=PARAMS)
    assert floor.reason == BARRED


@pytest.mark.parametrize(
    ("task", "gold", "majority"),
    [
        ("classification", ["b", "a", "a", "b", "c"], "a"),
        ("classification", ["3", "3.0", "2"], "3"),
        ("multilabel", ['["a", "b"]', '["b"]', "[]", '["c"]'], '["b"]'),
        ("ner", ["[]"], "[]"),
    ],
)
def test_the_majority_of_gold(task: str, gold: list[str], majority: str) -> None:
    assert majority_value(task, gold, [str(i) for i in range(len(gold))]) == majority
