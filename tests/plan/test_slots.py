from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medsweep.config import load_sweep
from medsweep.corpus import Document
from medsweep.models.machine import Machine
from medsweep.models.size import Shape
from medsweep.plan.build import make_plan
from medsweep.plan.cost import costs
from medsweep.plan.slots import slots_of, slots_that_fit
from medsweep.training.recipe import Recipe

GIB = 1 << 30
MACHINE = Machine((80 * GIB,), cores=2, bf16=True)
# Llama 3.1 8B: 32 layers of width 4096, whose matrices have 81,920 rows and columns together.
LARGE, LARGE_PARAMETERS = (
    Shape(32, 6_979_588_096, 32 * 81_920, (14_336, 4096), 4096, 128_256 * 4096),
    8_030_261_248,
)
RECIPE = Recipe(rank=16)


def rate(shape: tuple[int, int], rows: int, bf16: bool) -> float:
    return 1e12


@pytest.mark.parametrize(
    ("change", "memory", "slots"),
    [
        ({}, 80 * GIB, 16),
        ({}, 24 * GIB, 3),
        ({}, 16 * GIB, 1),
        ({"rank": 64}, 80 * GIB, 13),
        ({"top_layers": 3}, 24 * GIB, 16),
        ({"max_length": 1024}, 24 * GIB, 1),
        ({"max_length": 1024, "gradient_checkpointing": True}, 24 * GIB, 5),
    ],
)
def test_a_gpu_holds_as_many_adapters_as_fit_beside_a_row(
    change: dict[str, Any], memory: int, slots: int
) -> None:
    assert slots_that_fit(LARGE, LARGE_PARAMETERS, replace(RECIPE, **change), memory) == slots


@pytest.mark.parametrize(("characters", "slots"), [(40, 4), (160, 2), (900, 1)])
def test_a_cpu_holds_as_many_adapters_as_fill_it(
    sweep_file: Callable[..., Path], characters: int, slots: int
) -> None:
    # Eight documents a step of about 10, 40 or 225 tokens.
    plan = make_plan(load_sweep(sweep_file(training={"max_length": 256})))
    documents = {str(i): Document(str(i), "x" * characters) for i in range(3)}
    plan = replace(plan, workload=replace(plan.workload, documents=documents))
    assert slots_of(plan, None) == slots


def test_the_smallest_gpu_decides(sweep_file: Callable[..., Path]) -> None:
    plan = make_plan(load_sweep(sweep_file()))
    assert slots_of(plan, ()) == 8
    assert slots_of(plan, (80 * GIB,)) == 16
    (folder,) = plan.folders.values()
    assert folder.parameters * 2 < 1 << 20
    assert 1 <= slots_of(plan, (80 * GIB, 1 << 20)) < 16


def test_what_the_sweep_file_says_goes_first(sweep_file: Callable[..., Path]) -> None:
    plan = make_plan(load_sweep(sweep_file(resources={"slots": 5})))
    assert [slots_of(plan, gpus) for gpus in (None, (80 * GIB,))] == [5, 5]
    assert [c.slots for c in costs(plan, MACHINE, rate).values()] == [5]
    assert slots_of(make_plan(load_sweep(sweep_file(engine="solo"))), (80 * GIB,)) == 1
