"""What a process holds, and what a pass is expected to take."""

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from medsweep.training.engines.shared import SharedEngine
from medsweep.training.memory import MemoryModel, TokenBudget, meter_of, release
from medsweep.training.recipe import Recipe
from tests.training.shapes import documents, make_base, the_task

ROOT = Path(__file__).parents[2]


def peaks(folder: Path) -> tuple[int, int]:
    """Peak resident bytes over 20 lives of a slot, and over 60 more in the same process."""
    base = make_base("bert", folder, "classification", torch.float32)
    engine = SharedEngine(base, the_task("classification"))
    # Adapter, best adapter and moments are 2 MB: one that stayed would be seen.
    recipe = Recipe(rank=128, top_layers=2, min_steps=1, epochs=1, evaluations=2)
    train, dev, process = documents(8, 1), documents(4, 2), psutil.Process()

    def peak(cycles: int) -> int:
        found = 0
        for _ in range(cycles):
            engine.attach("one", recipe, train, dev)
            engine.advance("one")
            engine.state("one")
            release()
            found = max(found, process.memory_info().rss)
            engine.detach("one")
        return found

    return peak(20), peak(60)


@pytest.mark.slow
def test_a_host_does_not_grow(tmp_path: Path) -> None:
    """In a process of its own, as a host is: here other tests' memory would be reused."""
    command = [sys.executable, "-m", "tests.training.test_memory", str(tmp_path / "base")]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    said = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
    after_20, after_80 = map(int, said.stdout.split())
    assert after_80 <= 1.02 * after_20


def model_of(coefficients: tuple[float, float, float], noise: float = 0.0) -> MemoryModel:
    """Passes of all shapes, whose memory is as ``coefficients`` say."""
    b0, b1, b2 = coefficients
    model, generator = MemoryModel(), np.random.default_rng(0)
    for rows, longest in product((1, 4, 16), (32, 128, 512)):
        taken = b0 + b1 * rows * longest + b2 * rows * longest**2
        model.add(rows, longest, int(taken * (1 + noise * generator.standard_normal())))
    return model


@pytest.mark.parametrize("truth", [(5e6, 3e4, 40.0), (0.0, 3e4, 0.0), (1e7, 0.0, 100.0)])
def test_the_fit_finds_what_made_the_numbers(truth: tuple[float, float, float]) -> None:
    found = model_of(truth).coefficients()
    assert found == pytest.approx(truth, rel=1e-3, abs=10)


def test_what_is_said_to_fit_fits() -> None:
    b0, b1, b2 = truth = (5e6, 3e4, 40.0)
    for longest, free in product((32, 256), (5e7, 1e8, 2e8)):
        tokens = model_of(truth, noise=0.03).tokens(longest, free)
        assert tokens is not None
        rows = tokens // longest
        assert 0.6 * free < b0 + rows * (b1 * longest + b2 * longest**2) < free


def test_no_pass_seen_took_more_than_is_said() -> None:
    model = model_of((5e6, 3e4, 40.0), noise=0.2)
    found = model.coefficients()
    assert found is not None
    for rows, longest, taken in model.seen:
        said = found[0] + found[1] * rows * longest + found[2] * rows * longest**2
        assert said >= taken - 1


def test_nothing_is_said_of_what_is_not_known() -> None:
    model = MemoryModel()
    for _ in range(9):
        model.add(8, 128, 10**6)
    assert model.tokens(128, 1e12) is None
    # Nor far beyond it.
    assert model_of((5e6, 3e4, 40.0)).tokens(512, 1e15) == 2 * 16 * 512


class Device:
    """A device of ``size`` bytes on which each pass takes ``b1`` a token."""

    def __init__(self, size: float, b1: float) -> None:
        self.size, self.b1, self.tokens = size, b1, 0

    def begin(self) -> None:
        self.tokens = 0

    def taken(self) -> int:
        return int(self.b1 * self.tokens)

    def free(self) -> int:
        return int(self.size)


def pass_of(budget: TokenBudget, device: Device, rows: int, longest: int) -> None:
    with budget.measured(0, rows, longest):
        device.tokens = rows * longest


def test_passes_grow_to_what_fits_and_shrink_where_it_did_not() -> None:
    device = Device(size=1e9, b1=1e5)
    budget, given = TokenBudget(1024, device), []
    for longest in (64, 128, 32) * 5:
        tokens = budget.tokens(0, longest)
        given.append(tokens)
        pass_of(budget, device, tokens // longest, longest)
    assert given[:3] == [1024] * 3
    assert given[3] == 2048
    assert given[-1] == pytest.approx(0.8 * 1e9 / 1e5, rel=0.01)
    assert budget.tokens(1, 64) == 1024, "known of another layer"
    device.size = 1e8
    assert budget.tokens(0, 64) == pytest.approx(0.8 * 1e8 / 1e5, rel=0.01)
    assert budget.halve()
    assert budget.tokens(0, 64) == 512
    assert [budget.halve(), budget.halve(), budget.halve()] == [True, True, False]


def test_without_a_meter_the_budget_is_fixed() -> None:
    budget = TokenBudget(1024)
    for rows in (1, 2, 3, 4):
        with budget.measured(0, rows, 64):
            pass
    assert budget.tokens(0, 64) == budget.tokens(3, 512) == 1024
    assert meter_of(torch.device("cpu")) is None


def test_an_engine_learns_what_its_passes_take(tmp_path: Path) -> None:
    base = make_base("bert", tmp_path, "classification", torch.float32)
    engine, device = SharedEngine(base, the_task("classification")), Device(size=1e9, b1=1e6)
    engine._budget = TokenBudget(64, device)

    def passed(_: object, args: tuple[object, ...], kwargs: dict[str, torch.Tensor]) -> None:
        device.tokens = kwargs["input_ids"].numel()

    recipe = Recipe(min_steps=12, epochs=1, evaluations=1)
    engine.attach("one", recipe, documents(24, 1), documents(4, 2))
    with base.model.register_forward_pre_hook(passed, with_kwargs=True):
        engine.advance("one")
    found = engine._budget._models[0].coefficients()
    assert found is not None
    assert found[1] == pytest.approx(1e6, rel=0.01)
    assert max(r * n for r, n, _ in engine._budget._models[0].seen) > 64


if __name__ == "__main__":
    print(*peaks(Path(sys.argv[1])))
