"""How many adapters one host trains at once. Imports no ray: plans ask too."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from medsweep.models.size import Shape, shape_of
from medsweep.plan.plan import Plan
from medsweep.training.recipe import Recipe

# Adapters packed on one host at most; each costs a Tune process of its own.
SHARED_SLOTS = {"gpu": 16, "cpu": 4}
# On GPUs that this process does not see, such as those of a cluster that is joined.
SLOTS_ON_UNKNOWN = 8
# Of a GPU's memory, what may be laid out beforehand: its context and fragments take the rest.
LAID_OUT = 0.85
# A step of so many tokens keeps a core's units busy (docs/log.md): there another slot on the same
# core adds memory and no speed.
TOKENS_THAT_FILL_A_CPU = 512
CHARACTERS_A_TOKEN = 4
# An adapter's numbers in fp32: value, best so far, gradient, two moments, and a saved state.
ADAPTER_BYTES = 4 * 6


def slots_of(plan: Plan, gpus: Sequence[int] | None) -> int:
    """As the sweep file says, else as many as a GPU's memory holds or as fill a CPU.

    Args:
        plan: the sweep.
        gpus: bytes of each GPU, empty where nobody knows them; None for CPUs.
    """
    sweep, work = plan.sweep, plan.workload
    if sweep.resources.slots or sweep.engine != "shared":
        return sweep.resources.slots or 1
    if gpus is not None:
        return _slots_on_gpus(plan, gpus)
    recipe = Recipe(**sweep.training.model_dump(exclude_none=True))
    lengths = [len(d.text) / CHARACTERS_A_TOKEN for d in work.documents.values()]
    typical = min(recipe.max_length, sum(lengths) / len(lengths))
    return min(SHARED_SLOTS["cpu"], ceil(TOKENS_THAT_FILL_A_CPU / (recipe.batch_size * typical)))


def slots_that_fit(shape: Shape, parameters: int, recipe: Recipe, memory_bytes: int) -> int:
    """The most adapters that a GPU of so much memory holds beside their base in bf16.

    Passes shrink to what memory is free (``medsweep.training.memory``), but not below one row.

    Args:
        shape: of the base.
        parameters: all of the base's.
        recipe: the largest that the search may propose: rank and top layers.
        memory_bytes: of the device.

    Returns:
        1 to ``SHARED_SLOTS["gpu"]``; 1 also where not even one fits.
    """
    layers = min(recipe.top_layers or shape.layers, shape.layers)
    row = activation_bytes(shape, recipe, layers, recipe.max_length)
    free = LAID_OUT * memory_bytes - 2 * parameters - row
    most = int(free // adapter_bytes(shape, recipe, layers))
    return max(1, min(SHARED_SLOTS["gpu"], most))


def activation_bytes(shape: Shape, recipe: Recipe, layers: float, tokens: int) -> float:
    """Bytes that a pass of so many tokens keeps at 16 bits, where so many layers are adapted.

    A layer and token are 34 times the width, as Korthikanti et al. (2022, Reducing activation
    recomputation in large transformer models) count them, without attention's scores; with
    gradient checkpointing one layer's, and what enters the others.
    """
    kept = 34 + 2 * layers if recipe.gradient_checkpointing else 34 * layers
    return kept * shape.width * tokens


def adapter_bytes(shape: Shape, recipe: Recipe, layers: float) -> float:
    """Bytes of one adapter in so many layers, with everything that training keeps of it."""
    return ADAPTER_BYTES * recipe.rank * shape.sides * layers / shape.layers


def largest_recipe(plan: Plan, name: str) -> Recipe:
    """The highest rank in the most layers that a model's search may propose."""
    search = plan.sweep.search_of(plan.workload.models[name])
    depths = [n for n in search.top_layers if isinstance(n, int)]
    return Recipe(
        rank=max(search.rank),
        top_layers=None if "all" in search.top_layers else max(depths),
        epochs=search.epochs,
        **plan.sweep.training.model_dump(exclude_none=True),
    )


def _slots_on_gpus(plan: Plan, gpus: Sequence[int]) -> int:
    """What the smallest GPU holds of the model that leaves the least room for adapters."""
    models = {c.model for c in plan.cells if plan.workload.models[c.model].devices == 1}
    if not gpus or not models:
        return SLOTS_ON_UNKNOWN
    return min(
        slots_that_fit(
            shape_of(plan.folders[name]),
            plan.folders[name].parameters,
            largest_recipe(plan, name),
            min(gpus),
        )
        for name in models
    )
