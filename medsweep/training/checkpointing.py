"""Gradient checkpointing: a layer keeps what enters it, and the backward pass computes it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


@contextmanager
def checkpointed(
    layers: Sequence[nn.Module], noise: Sequence[torch.Generator] = ()
) -> Iterator[None]:
    """Within the body, a forward pass holds of each layer its input only.

    transformers' own switch works in training mode alone, in which a base drops out as well.

    Args:
        layers: of a transformer.
        noise: generators that are drawn from in them. They are wound back for the second time,
            as torch does with its own; so dropout drops the same.
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _drawing_from(noise, [g.get_state() for g in noise])

    attributes = [vars(layer) for layer in layers]
    before = [a.get("forward") for a in attributes]
    for layer, own in zip(layers, attributes, strict=True):
        own["forward"] = partial(
            checkpoint, layer.forward, use_reentrant=False, context_fn=contexts
        )
    try:
        yield
    finally:
        for own, forward in zip(attributes, before, strict=True):
            if forward is None:
                del own["forward"]
            else:
                own["forward"] = forward


@contextmanager
def _drawing_from(noise: Sequence[torch.Generator], states: Sequence[Tensor]) -> Iterator[None]:
    now = [g.get_state() for g in noise]
    for generator, state in zip(noise, states, strict=True):
        generator.set_state(state)
    try:
        yield
    finally:
        for generator, state in zip(noise, now, strict=True):
            generator.set_state(state)
