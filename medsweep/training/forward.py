"""Windows through a model with one adapter, and the loss of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from medsweep.models.load import Base
from medsweep.models.precision import autocast, in_bf16, native_bf16
from medsweep.training.batches import by_length
from medsweep.training.encode import IGNORED, Target, Window
from medsweep.training.prefix import PrefixCache, entering_at, stack_hidden

# Tokens, padding included, that go through the model at once. On a CPU 512 already fill its
# units and more only costs memory and padding; a GPU wants more rows than a step has.
TOKENS_AT_ONCE = {"cpu": 2048, "cuda": 16384}
# Of questions that are answered in writing, on any device: behind them each row is one token a
# pass, and without gradients little more than keys and values is kept.
ASKED_AT_ONCE = 16384

Reading = TypeVar("Reading")


def token_budget(device: torch.device, *, by_token: bool = False) -> int:
    """Tokens at once on this kind of device, in training or where answers are written."""
    if by_token:
        return ASKED_AT_ONCE
    return TOKENS_AT_ONCE.get(device.type, TOKENS_AT_ONCE["cuda"])


@contextmanager
def from_layer(
    model: Any,
    base: Base,
    windows: Sequence[Window],
    layer: int,
    cache: PrefixCache | None,
    *,
    exact: bool = False,
) -> Iterator[None]:
    """Within the body ``model`` starts at ``layer``, and what lies below comes from ``cache``.

    Args:
        model: the base with an adapter in its modules, named as the base is.
        base: what the model is made from.
        windows: what it is given in the body, one batch.
        layer: the lowest adapted layer.
        cache: None computes all layers.
        exact: in the base's own precision.
    """
    if cache is None or layer == 0:
        yield
        return
    hidden = stack_hidden(cache.hidden(windows, layer, exact=exact), base.device)
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
    by_token: bool = False,
    tokens: int | None = None,
) -> list[Reading]:
    """What ``read`` makes of the model and each batch of windows, in the windows' order.

    ``tokens``, padding included, are read at once; None leaves that to the device.
    ``exact`` computes as plain PEFT does, in the base's own precision. What is handed over is
    judged so; dev scores, which only choose, take the faster way. ``by_token`` is the method's.
    """
    readings: dict[int, Reading] = {}
    usable = None if by_token or (exact and not keeps_exactly(base)) else cache
    with reading_precision(base, exact=exact, by_token=by_token):
        most = tokens or token_budget(base.device, by_token=by_token)
        for batch in by_length(windows, most):
            rows = [windows[i] for i in batch]
            with from_layer(model, base, rows, layer, usable, exact=exact):
                readings |= zip(batch, read(model, rows), strict=True)
    return [readings[i] for i in range(len(windows))]


def keeps_exactly(base: Base) -> bool:
    """Whether what a cache keeps of the lower layers is what a whole pass computes.

    In fp32 it is, to the last digits. In 16 bits the rounding of a batch's shape is not.
    """
    return bool(base.model.dtype == torch.float32)


@contextmanager
def reading_precision(base: Base, *, exact: bool, by_token: bool = False) -> Iterator[None]:
    """The base's own precision, or half where that is faster.

    Mixed precision converts all weights in every pass, which is too much for a pass of one token
    a row: where answers are written, they are converted before.
    """
    half = base.model.dtype in (torch.bfloat16, torch.float16)
    mixed = half if exact else native_bf16(base.device)
    with in_bf16(base.model, by_token and mixed and not exact), autocast(base.device, mixed):
        yield


def batch_loss(logits: Tensor, windows: Sequence[Window], weights: Tensor, count: int) -> Tensor:
    """A batch's share of its step's loss: cross-entropy summed, over ``count`` of the step.

    Multi-label: the binary cross-entropy of each label, as transformers computes it for the problem
    type ``multi_label_classification``.

    Args:
        logits: (windows, classes or labels) or (windows, longest, tags).
        windows: the batch.
        weights: of the classes; a document counts as its class does. Of labels: that of the
            documents to which the label applies.
        count: windows of the step, its pairs of window and label, or its tagged tokens.
    """
    if isinstance(windows[0].target, np.ndarray):
        applies = _applies(windows).to(logits)
        each = F.binary_cross_entropy_with_logits(
            logits, applies, pos_weight=weights, reduction="sum"
        )
        return each / count
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
    """What a step's loss is the mean over: windows, labels of windows, or tagged tokens."""
    return max(1, sum(_size(w.target) for w in windows))


def _applies(windows: Sequence[Window]) -> Tensor:
    """(windows, labels), true where a label applies."""
    return torch.tensor(np.array([w.target for w in windows], dtype=bool))


def _size(target: Target) -> int:
    if isinstance(target, np.ndarray):
        return target.size
    return sum(t != IGNORED for t in target) if isinstance(target, tuple) else 1


def class_weights(windows: Sequence[Window], classes: int, weighted: bool) -> Tensor:
    """Inverse square roots of class frequencies, 1 in the mean over ``windows``.

    Of labels: the ratio of two such weights, of the windows that have it to those that have not.
    """
    if windows and isinstance(windows[0].target, np.ndarray):
        having = _applies(windows).sum(0)
        ratio = (len(windows) - having).clamp(min=1) / having.clamp(min=1)
        return ratio.sqrt() if weighted else torch.ones(classes)
    counts = torch.zeros(classes)
    for window in windows:
        if isinstance(window.target, int):
            counts[window.target] += 1
    if not weighted or counts.sum() == 0:
        return torch.ones(classes)
    weights = counts.clamp(min=1).rsqrt()
    return weights * counts.sum() / (weights * counts).sum()
