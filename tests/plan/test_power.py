from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medsweep.config import load_sweep
from medsweep.plan.build import make_plan
from medsweep.plan.plan import Plan
from medsweep.plan.power import promise_power, study_of
from medsweep.stats.planned import Study


@pytest.fixture
def planned(sweep_file: Callable[..., Path]) -> Callable[..., Plan]:
    return lambda **changes: make_plan(load_sweep(sweep_file(**changes)))


def study(plan: Plan) -> Study:
    found = study_of(plan)
    assert found is not None
    return found


def test_the_study_is_the_plans_own(planned: Callable[..., Plan], tiny_bert: Path) -> None:
    plan = planned()
    found = study(plan)
    assert (found.metric, found.sizes, found.draws) == ("macro_f1", (9, 18), 2)
    # The probe beside the tuned model; the majority is no system, and TF-IDF the reference.
    assert (found.models, found.others, found.reference_draws, found.pool) == (1, 1, 2, 42)
    assert len(found.gold) == 30
    assert found.groups is None
    tuned = {"arm": "finetuned", "model": str(tiny_bert), "draws": 1}
    alone = study(planned(reference=tuned, arms=["rules"] * 0, train_sizes=[9, 18]))
    assert (alone.models, alone.others) == (1, 0)
    descriptive = planned(decide={"margin": 0.05, "systems": "tuned"})
    assert study(descriptive).others == 0


def test_documents_of_a_patient_count_as_a_group(planned: Callable[..., Plan]) -> None:
    plan = planned()
    ids = list(plan.gold)
    found = study(replace(plan, groups=dict.fromkeys(ids[:10], "one")))
    assert found.groups is not None
    assert found.groups.max() + 1 == 21


@pytest.mark.parametrize(
    ("documents", "changes"), [(300, {}), (2000, {"draws": 5, "train_sizes": [9, 12, 18, 24]})]
)
def test_a_promise_is_quick_and_the_same_again(
    planned: Callable[..., Plan], documents: int, changes: dict[str, Any]
) -> None:
    plan = planned(**changes)
    labels = list(plan.gold.values())
    large = replace(plan, gold={f"d{i}": labels[i % len(labels)] for i in range(documents)})
    start = time.process_time()
    found = promise_power(large)
    # Two seconds, and as much again for a machine under load.
    assert time.process_time() - start < 4
    assert found == promise_power(large)
