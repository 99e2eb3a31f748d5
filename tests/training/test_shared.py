"""Many adapters on one base learn what each would learn alone, whoever comes and goes."""

import math
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as load_bytes
from torch import Tensor

from medsweep.corpus import Document
from medsweep.models.load import Base, head_labels
from medsweep.training._base import Evaluation, Recipe
from medsweep.training.adapter import fresh_adapter, trainable
from medsweep.training.batches import step_batch
from medsweep.training.encode import Encoder
from medsweep.training.forward import batch_loss, class_weights, targets_in
from medsweep.training.optim import make_optimizer, set_rate, share_of_rate, total_steps
from medsweep.training.prefix import PrefixCache, entering_at, pad, stack_hidden
from medsweep.training.shared import SharedEngine
from medsweep.training.solo import SoloEngine
from tests.training.shapes import CONFIGS, documents, make_base, the_task

DEV = documents(7, 99)
STEPS = 50
MIXED = {
    "all": Recipe(rank=4, alpha=8, learning_rate=2e-3, min_steps=STEPS, epochs=1, evaluations=5),
    "top": Recipe(
        rank=8, alpha=8, learning_rate=5e-4, top_layers=1, min_steps=STEPS, epochs=1, seed=3,
        evaluations=2,
    ),
    "two": Recipe(
        rank=3, alpha=12, learning_rate=1e-3, top_layers=2, min_steps=STEPS, epochs=1, seed=5,
        batch_size=4, max_length=12, max_grad_norm=0.1, evaluations=5,
    ),
    "twin": Recipe(rank=2, alpha=2, learning_rate=4e-3, min_steps=STEPS, epochs=1, seed=8,
                   weight_decay=0.1, warmup=0.3, evaluations=5),
}  # fmt: skip
SIZES = {"all": 19, "top": 24, "two": 12, "twin": 9}
SHAPES = [(n, k) for n in CONFIGS for k in ("classification", "ner") if (n, k) != ("gemma3", "ner")]


def train_of(slot: str) -> list[Document]:
    return documents(SIZES[slot], len(slot))


def open_all(engine: SharedEngine, recipes: dict[str, Recipe] = MIXED) -> None:
    for slot, recipe in recipes.items():
        engine.attach(slot, recipe, train_of(slot), DEV)


def run(engine: SharedEngine, slot: str, times: int | None = None) -> list[Evaluation]:
    points = [engine.advance(slot)]
    while not points[-1].done and len(points) != times:
        points.append(engine.advance(slot))
    return points


def run_together(
    engine: SharedEngine, slots: Sequence[str]
) -> dict[str, list[Evaluation] | Exception]:
    found: dict[str, list[Evaluation] | Exception] = {}

    def one(slot: str) -> None:
        try:
            found[slot] = run(engine, slot)
        except Exception as error:
            found[slot] = error

    threads = [threading.Thread(target=one, args=(s,)) for s in slots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return found


def weights_of(engine: SharedEngine | SoloEngine, slot: str) -> dict[str, Tensor]:
    held = load_bytes(engine.state(slot))
    return {k.removeprefix("now/"): v for k, v in held.items() if k.startswith("now/")}


def assert_close(found: dict[str, Tensor], wanted: dict[str, Tensor], atol: float) -> None:
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(
            found[name], tensor, rtol=0, atol=atol, msg=lambda m, n=name: n + m
        )


def plain_peft(
    base: Base, kind: str, recipe: Recipe, train: Sequence[Document]
) -> tuple[list[float], dict[str, Tensor]]:
    """Losses and weights of PEFT's own model, in the base's precision, without any packing."""
    task = the_task(kind)
    peft = fresh_adapter(base, task, recipe).to(base.model.dtype)
    model, layer = peft.get_base_model(), base.targets.top(recipe.top_layers)[0]
    windows = Encoder(base.tokenizer, task, head_labels(task), base.longest).encode(
        train, recipe.max_length
    )
    tensors, cache = trainable(peft), PrefixCache(base, None)
    optimizer = make_optimizer(tensors, recipe)
    weights = class_weights(windows, len(head_labels(task)), recipe.class_weights)
    losses, total = [], total_steps(recipe, len(windows))
    for step in range(total):
        batch = step_batch(windows, recipe.batch_size, recipe.seed, step)
        if layer:
            # As stored: the cache keeps fp32, which is not what is tested here.
            hidden = stack_hidden(cache.hidden(batch, layer), base.device).to(base.model.dtype)
            with entering_at(model, base.targets.stack, layer, hidden):
                logits = model(**pad(batch, base)).logits
        else:
            logits = model(**pad(batch, base)).logits
        loss = batch_loss(logits, batch, weights, targets_in(batch))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tensors.values(), recipe.max_grad_norm)
        set_rate(optimizer, share_of_rate(step, total, recipe.warmup))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses, {n: t.detach() for n, t in tensors.items()}


@pytest.mark.parametrize(("name", "kind"), SHAPES)
def test_each_slot_equals_plain_peft(name: str, kind: str, tmp_path: Path) -> None:
    base = make_base(name, tmp_path, kind)
    engine = SharedEngine(base, the_task(kind))
    open_all(engine)
    found = run_together(engine, list(MIXED))
    for slot, recipe in MIXED.items():
        losses, weights = plain_peft(base, kind, recipe, train_of(slot))
        points = found[slot]
        assert isinstance(points, list), points
        assert points[-1].step == len(losses) >= STEPS
        begins = [0, *(p.step for p in points)]
        for point, begin in zip(points, begins, strict=False):
            mean = math.fsum(losses[begin : point.step]) / (point.step - begin)
            assert point.train_loss == pytest.approx(mean, abs=1e-8)
        assert_close(weights_of(engine, slot), weights, 1e-8)
