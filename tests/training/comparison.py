"""What engines are compared by: recipes, runs, and PEFT itself."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import torch
from safetensors.torch import load as load_bytes
from torch import Tensor

from medsweep.corpus import Document
from medsweep.models.load import Base
from medsweep.models.precision import autocast
from medsweep.tasks import head_labels
from medsweep.training.adapter import fresh_adapter, trainable
from medsweep.training.batches import epoch_order, step_batch
from medsweep.training.encode import Encoder
from medsweep.training.engines.shared import SharedEngine
from medsweep.training.engines.solo import SoloEngine
from medsweep.training.forward import batch_loss, class_weights, targets_in
from medsweep.training.optim import make_optimizer, set_rate, share_of_rate, total_steps
from medsweep.training.prefix import PrefixCache, entering_at, pad, stack_hidden
from medsweep.training.recipe import Evaluation, Recipe
from tests.training.shapes import documents, the_task

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
        thread.join(300)
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
    base: Base, kind: str, recipe: Recipe, train: Sequence[Document], permuted: int | None = None
) -> tuple[list[float], dict[str, Tensor]]:
    """Losses and weights of PEFT's own model, in the base's precision, without any packing.

    ``permuted`` seeds an order of the rows within each batch: nothing but rounding depends on it.
    """
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
        if permuted is not None:
            batch = [batch[i] for i in epoch_order(len(batch), permuted, step)]
        # Quantised layers compute in fp32 or less whatever the base's precision, which this halves.
        with autocast(base.device):
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


def short(recipe: Recipe, **changes: object) -> Recipe:
    return replace(recipe, **{"min_steps": 12, "evaluations": 3, **changes})
