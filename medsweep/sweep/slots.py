"""How many adapters one host trains at once. Imports no ray: plans ask too."""

from __future__ import annotations

from math import ceil

from medsweep.config import Sweep
from medsweep.sweep.plan import Workload
from medsweep.training._base import Recipe

# Adapters packed on one host at most; each costs a Tune process of its own.
SHARED_SLOTS = {"gpu": 8, "cpu": 4}
# A step of so many tokens keeps a core's units busy (docs/log.md): there another slot on the same
# core adds memory and no speed.
TOKENS_THAT_FILL_A_CPU = 512
CHARACTERS_A_TOKEN = 4


def slots_of(sweep: Sweep, workload: Workload, *, gpu: bool) -> int:
    """As the sweep file says, else as many as make a step that fills the device."""
    if sweep.resources.slots or sweep.engine != "shared":
        return sweep.resources.slots or 1
    if gpu:
        return SHARED_SLOTS["gpu"]
    recipe = Recipe(**sweep.training.model_dump(exclude_none=True))
    lengths = [len(d.text) / CHARACTERS_A_TOKEN for d in workload.documents.values()]
    typical = min(recipe.max_length, sum(lengths) / len(lengths))
    return min(SHARED_SLOTS["cpu"], ceil(TOKENS_THAT_FILL_A_CPU / (recipe.batch_size * typical)))
