"""Low-rank layers for a batch whose rows belong to several adapters.

The base's own output is computed once over all rows; each adapter adds its part on its own,
contiguous rows. Nothing in the base is replaced: the parts are added by forward hooks that live
for one pass, so any module that maps features to features can be adapted (``nn.Linear``,
GPT-2's ``Conv1D``, quantised ones), and whoever else uses the base sees it untouched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(slots=True)
class LoraPart:
    """One adapter's share of one linear layer: ``x @ down.T @ up.T * scaling``.

    Attributes:
        down: (rank, in), PEFT's ``lora_A.weight``.
        up: (out, rank), PEFT's ``lora_B.weight``.
        scaling: alpha over rank.
    """

    down: Tensor
    up: Tensor
    scaling: float


@dataclass(slots=True)
class Adapter:
    """What one slot adds to the base.

    Attributes:
        parts: by dotted name of the adapted linear layer.
        heads: the slot's own copies of the modules that are trained in full, by dotted name.
        dropout: probability that an input feature of a low-rank part is dropped.
    """

    parts: dict[str, LoraPart]
    heads: dict[str, nn.Module]
    dropout: float = 0.0


@dataclass(slots=True)
class Segment:
    """The rows ``start`` to ``stop`` of a batch, which are one adapter's.

    Attributes:
        lengths: real tokens of each row.
        noise: a generator a row for dropout; empty where nothing is dropped. A generator a
            row, because a row's mask may then depend neither on the batch's padding nor on
            which rows were put together.
    """

    adapter: Adapter
    start: int
    stop: int
    lengths: Sequence[int]
    noise: Sequence[torch.Generator] = field(default_factory=tuple)


@contextmanager
def adapted(model: nn.Module, segments: Sequence[Segment]) -> Iterator[None]:
    """Within the body, ``model`` answers each segment's rows as its adapter would."""
    linears = dict.fromkeys(n for s in segments for n in s.adapter.parts)
    heads = dict.fromkeys(n for s in segments for n in s.adapter.heads)
    with ExitStack() as stack:
        for name in linears:
            hook = model.get_submodule(name).register_forward_hook(_LowRank(name, segments))
            stack.callback(hook.remove)
        for name in heads:
            hook = model.get_submodule(name).register_forward_hook(
                _Heads(name, segments), with_kwargs=True
            )
            stack.callback(hook.remove)
        yield


class _LowRank:
    """Adds to a layer's output what the adapters add, each on its rows."""

    def __init__(self, name: str, segments: Sequence[Segment]) -> None:
        self._name, self._segments = name, segments

    def __call__(self, _module: nn.Module, args: tuple[Any, ...], out: Tensor) -> Tensor:
        if len(self._segments) == 1:
            # Of any number of rows: those of answers that have ended are taken out.
            return out + self._delta(self._segments[0], args[0], out)
        # One split, because the gradient of each slice of its own would be as long as the batch.
        sizes = [s.stop - s.start for s in self._segments]
        own = torch.split(args[0], sizes)
        outs = torch.split(out, sizes)
        return torch.cat(
            [
                o + self._delta(s, x, o) if self._name in s.adapter.parts else o
                for s, x, o in zip(self._segments, own, outs, strict=True)
            ]
        )

    def _delta(self, segment: Segment, x: Tensor, out: Tensor) -> Tensor:
        part = segment.adapter.parts[self._name]
        if not torch.is_autocast_enabled(x.device.type):
            x = x.to(part.down.dtype)
        if segment.noise:
            x = x * _kept(x, segment)
        low = functional.linear(x, part.down) * part.scaling
        return functional.linear(low, part.up).to(out.dtype)


def _kept(x: Tensor, segment: Segment) -> Tensor:
    """Inverted dropout of (rows, tokens, features): zero or 1 / (1 - p); padding is zero."""
    keep = 1.0 - segment.adapter.dropout
    mask = torch.zeros_like(x)
    for row, (length, noise) in enumerate(zip(segment.lengths, segment.noise, strict=True)):
        # Drawn where the generator lives and in one precision: the same on every device.
        drawn = torch.empty(length, x.shape[-1]).bernoulli_(keep, generator=noise)
        mask[row, :length] = drawn.to(x) / keep
    return mask


class _Heads:
    """Replaces a head's output by that of the adapters' own heads, each on its rows."""

    def __init__(self, name: str, segments: Sequence[Segment]) -> None:
        self._name, self._segments = name, segments

    def __call__(
        self,
        _module: nn.Module,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        _out: Tensor,
    ) -> Tensor:
        sizes = [s.stop - s.start for s in self._segments]
        places = [_split(v, sizes) for v in args]
        names = {k: _split(v, sizes) for k, v in kwargs.items()}
        outs = [
            s.adapter.heads[self._name](
                *(p[i] for p in places), **{k: v[i] for k, v in names.items()}
            )
            for i, s in enumerate(self._segments)
        ]
        return outs[0] if len(outs) == 1 else torch.cat(outs)


def _split(value: Any, sizes: list[int]) -> Sequence[Any]:
    return torch.split(value, sizes) if isinstance(value, Tensor) else [value] * len(sizes)


def adapter_of(peft: Any, dropout: float) -> Adapter:
    """The adapter in a PEFT model: the same tensors, without the model around them."""
    from peft.tuners.lora import LoraLayer
    from peft.utils import ModulesToSaveWrapper

    adapter = Adapter({}, {}, dropout)
    for name, module in peft.get_base_model().named_modules():
        if isinstance(module, LoraLayer):
            down, up = module.lora_A["default"], module.lora_B["default"]
            assert isinstance(down, nn.Linear)
            assert isinstance(up, nn.Linear)
            adapter.parts[name] = LoraPart(down.weight, up.weight, module.scaling["default"])
        elif isinstance(module, ModulesToSaveWrapper):
            adapter.heads[name] = module.modules_to_save["default"]
    return adapter
