from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from medsweep.config import load_sweep
from medsweep.corpus import Document
from medsweep.models.shape import Shape
from medsweep.sweep.estimate import costs
from medsweep.sweep.plan import make_plan
from medsweep.sweep.slots import slots_of, slots_that_fit
from medsweep.training._base import Recipe

GIB = 1 << 30
# Llama 3.1 8B: 32 layers of width 4096, whose matrices have 81,920 rows and columns together.
LARGE, LARGE_PARAMETERS = (
    Shape(32, 6_979_588_096, 32 * 81_920, (14_336, 4096), 4096, 128_256 * 4096),
    8_030_261_248,
)
RECIPE = Recipe(rank=16)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes torch see devices of so many bytes."""

    def see(*memory: int) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(memory))
        monkeypatch.setattr(
            torch.cuda, "get_device_properties", lambda i: SimpleNamespace(total_memory=memory[i])
        )

    return see


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
    assert slots_of(plan, gpu=False) == slots


def test_the_smallest_gpu_decides(
    sweep_file: Callable[..., Path], gpus: Callable[..., None]
) -> None:
    plan = make_plan(load_sweep(sweep_file()))
    gpus()
    assert slots_of(plan, gpu=True) == 8
    gpus(80 * GIB)
    assert slots_of(plan, gpu=True) == 16
    gpus(80 * GIB, 1 << 20)
    (folder,) = plan.folders.values()
    assert folder.parameters * 2 < 1 << 20
    assert 1 <= slots_of(plan, gpu=True) < 16


def test_what_the_sweep_file_says_goes_first(
    sweep_file: Callable[..., Path], gpus: Callable[..., None]
) -> None:
    gpus(80 * GIB)
    plan = make_plan(load_sweep(sweep_file(resources={"slots": 5})))
    assert [slots_of(plan, gpu=gpu) for gpu in (False, True)] == [5, 5]
    assert [c.slots for c in costs(plan).values()] == [5]
    assert slots_of(make_plan(load_sweep(sweep_file(engine="solo"))), gpu=True) == 1
