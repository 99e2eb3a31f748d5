"""Promised and found power agree."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from medsweep.errors import ConfigError
from medsweep.stats import power
from medsweep.stats.planned import PlannedPower, Study, simulate_power

GOLD = ["a"] * 180 + ["b"] * 90 + ["c"] * 30


def test_one_adapters_accuracy_has_the_exact_power() -> None:
    study = Study("classification", "accuracy", GOLD)
    found = simulate_power(study, recall=0.85, discordance=0.1, studies=400)
    exact = power.power_at(len(GOLD), 0.1, 0.05)
    assert found.any_size == pytest.approx(exact, abs=0.06)
    assert found.by_size == {100: found.any_size}
    assert found.standard_error == pytest.approx(0.018, abs=0.01)


def promised(draw_sd: float = 0.02, **changes: Any) -> float:
    study = Study("classification", "macro_f1", GOLD, **changes)
    return simulate_power(
        study, recall=0.85, discordance=0.1, draw_sd=draw_sd, studies=100
    ).any_size


def test_what_costs_power_costs_power() -> None:
    alone = promised(draws=3)
    assert alone < promised(draws=5, margin=0.1)
    assert promised(draws=3, models=4, others=3, sizes=(50, 100)) < alone
    assert promised(draws=3, groups=np.arange(300) // 10) < alone
    assert promised(draws=3, pool=190, margin=0.1, draw_sd=0.05) < promised(
        draws=3, margin=0.1, draw_sd=0.05
    )


@pytest.mark.parametrize(
    ("task", "metric", "value"),
    [
        ("multilabel", "micro_f1", ["a", "b"]),
        ("multilabel", "macro_f1", ["a", "b"]),
        ("multilabel", "exact_match", ["a", "b"]),
        ("ner", "span_f1", [[0, 3, "x"], [4, 8, "y"]]),
        ("ner", "macro_span_f1", [[0, 3, "x"], [4, 8, "y"]]),
        ("ner", "attribute_f1", [[0, 3, "x", {"dose": "1"}]]),
    ],
)
def test_every_metric_has_a_power(task: str, metric: str, value: Any) -> None:
    study = Study(task, metric, [json.dumps(value)] * 400, draws=2, margin=0.1)
    found = simulate_power(study, recall=0.8, discordance=0.1, draw_sd=0.005, studies=20)
    assert found.any_size > 0.5
    again = simulate_power(study, recall=0.8, discordance=0.1, draw_sd=0.005, studies=20)
    assert again == found


def test_the_documents_that_are_needed_bring_the_power() -> None:
    def power_of(documents: int) -> PlannedPower:
        gold = (["a", "a", "b", "c"] * documents)[:documents]
        study = Study("classification", "macro_f1", gold, draws=3)
        return simulate_power(study, recall=0.8, discordance=0.1, draw_sd=0.005, studies=300)

    needed = power_of(200).documents_needed
    assert needed is not None
    assert power_of(needed).any_size == pytest.approx(0.8, abs=0.08)


def test_more_documents_do_not_help_where_draws_differ_too_much() -> None:
    study = Study("classification", "macro_f1", GOLD * 4, draws=2)
    found = simulate_power(study, recall=0.8, discordance=0.1, draw_sd=0.05, studies=100)
    assert found.documents_needed is None


def test_the_metric_has_to_be_the_tasks() -> None:
    with pytest.raises(ConfigError, match="no metric"):
        simulate_power(Study("ner", "accuracy", ["[]"]), recall=0.8, discordance=0.1)
