"""Which windows go through the model together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medsweep.training.encode import Window


def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    """A permutation that depends on seed and epoch alone: nothing needs to be remembered."""
    return [int(i) for i in np.random.default_rng((seed, epoch)).permutation(count)]


def step_batch(windows: Sequence[Window], batch_size: int, seed: int, step: int) -> list[Window]:
    """The windows of optimiser step ``step`` (from 0); a step never spans two epochs."""
    per_epoch = -(-len(windows) // batch_size)
    epoch, place = divmod(step, per_epoch)
    order = epoch_order(len(windows), seed, epoch)
    return [windows[i] for i in order[place * batch_size : (place + 1) * batch_size]]


def by_length(windows: Sequence[Window], token_budget: int) -> list[list[int]]:
    """Indices in batches of like length: at most ``token_budget`` tokens, padding included.

    Windows that branch stand apart: their mask replaces the model's own, sliding ones included.
    """

    def branches(i: int) -> bool:
        return bool(windows[i].branches)

    batches: list[list[int]] = []
    for i in sorted(range(len(windows)), key=lambda i: (branches(i), len(windows[i].ids))):
        longest = len(windows[i].ids)
        fits = batches and (len(batches[-1]) + 1) * longest <= token_budget
        if fits and branches(batches[-1][0]) == branches(i):
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches
