"""Windows through a model with one adapter, and the loss of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from medsweep.models.load import Base
from medsweep.training.batches import by_length
from medsweep.training.encode import IGNORED, Window
from medsweep.training.precision import autocast
from medsweep.training.prefix import PrefixCache, entering_at, stack_hidden

# Tokens, padding included, that go through the model at once. On a CPU 512 already fill its
# units and more only costs memory and padding; a GPU wants more rows than a step has.
TOKENS_AT_ONCE = {"cpu": 2048, "cuda": 16384}


Reading = TypeVar("Reading")


def token_budget(device: torch.device) -> int:
    """Tokens at once on this kind of device."""
    return TOKENS_AT_ONCE.get(device.type, TOKENS_AT_ONCE["cuda"])


@contextmanager
def from_layer(
    model: Any, base: Base, windows: Sequence[Window], layer: int, cache: PrefixCache | None
) -> Iterator[None]:
    """Within the body ``model`` starts at ``layer``, and what lies below comes from ``cache``.

    Args:
        model: the base with an adapter in its modules, named as the base is.
        base: what the model is made from.
        windows: what it is given in the body, one batch.
        layer: the lowest adapted layer.
        cache: None computes all layers.
    """
    if cache is None or layer == 0:
        yield
        return
    hidden = stack_hidden(cache.hidden(windows, layer), base.device)
    with entering_at(model, base.targets.stack, layer, hidden):
        yield


@torch.no_grad()
def read_windows(
    model: Any,
    base: Base,
    windows: Sequence[Window],
    read: Callable[[Any, Sequence[Window]], Sequence[Reading]],
    *,
    layer: int = 0,
    cache: PrefixCache | None = None,
    exact: bool = False,
) -> list[Reading]:
    """What ``read`` makes of the model and each batch of windows, in the windows' order.

    ``exact`` computes as plain PEFT does: the whole model, in the base's own precision. What
    is handed over is judged so; dev scores, which only choose, take the faster way.
    """
    found: dict[int, Reading] = {}
    half = base.model.dtype in (torch.bfloat16, torch.float16)
    for batch in by_length(windows, token_budget(base.device)):
        rows = [windows[i] for i in batch]
        with (
            from_layer(model, base, rows, layer, None if exact else cache),
            autocast(base.device, half if exact else None),
        ):
            found |= zip(batch, read(model, rows), strict=True)
    return [found[i] for i in range(len(windows))]


def batch_loss(logits: Tensor, windows: Sequence[Window], weights: Tensor, count: int) -> Tensor:
    """A batch's share of its step's loss: cross-entropy summed, over ``count`` of the step.

    Args:
        logits: (windows, classes) or (windows, longest, tags).
        windows: the batch.
        weights: of the classes; a document counts as its class does.
        count: windows of the step, or its tagged tokens.
    """
    if logits.ndim == 2:
        target = torch.tensor([w.target for w in windows], device=logits.device)
        return (F.cross_entropy(logits, target, reduction="none") * weights[target]).sum() / count
    target = torch.full(logits.shape[:2], IGNORED)
    for row, window in enumerate(windows):
        assert isinstance(window.target, tuple)
        target[row, : len(window.target)] = torch.tensor(window.target)
    target = target.to(logits.device)
    loss = F.cross_entropy(
        logits.flatten(0, 1), target.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return loss / count


def targets_in(windows: Sequence[Window]) -> int:
    """What a step's loss is the mean over: windows, or tagged tokens."""
    return max(
        1,
        sum(
            sum(t != IGNORED for t in w.target) if isinstance(w.target, tuple) else 1
            for w in windows
        ),
    )


def class_weights(windows: Sequence[Window], classes: int, weighted: bool) -> Tensor:
    """Inverse square roots of class frequencies, 1 in the mean over ``windows``."""
    counts = torch.zeros(classes)
    for window in windows:
        if isinstance(window.target, int):
            counts[window.target] += 1
    if not weighted or counts.sum() == 0:
        return torch.ones(classes)
    weights = counts.clamp(min=1).rsqrt()
    return weights * counts.sum() / (weights * counts).sum()
