"""The frozen prefix: what lies below the lowest adapted layer, computed once a window.

Nothing there depends on a trial, so all trials, epochs and evaluations of a base share it.
Materialising frozen layers over a model selection is the idea of Nautilus (SIGMOD 2022).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from medsweep.models.load import Base
from medsweep.models.precision import autocast, native_bf16
from medsweep.training.batches import by_length
from medsweep.training.encode import Window

TOKENS_A_PASS = 2048
# How far logits from the prefix may be from those of the whole model, as a share of the largest:
# the same sums in another order, in the precision of the base's weights.
TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}
COARSE = 5e-2

# A window's, the layer, and whether it is in the base's own precision beside mixed ones.
_Key = tuple[bytes, int, bool]


class PrefixCache:
    """Hidden states that enter a layer, by window, layer and precision.

    Kept in memory up to ``memory`` bytes, beyond that in ``scratch`` (one file each, for this
    user only: they are derived from patients' texts), beyond that computed again.
    """

    def __init__(self, base: Base, scratch: Path | None, memory: int | None = None) -> None:
        self._base, self._scratch = base, scratch
        self._memory = memory if memory is not None else psutil.virtual_memory().available // 8
        self._held: dict[_Key, Tensor | Path] = {}
        self._entries: dict[int, int] = {}
        self._used = 0
        self._mixed = native_bf16(base.device)
        if scratch is not None:
            scratch.mkdir(parents=True, exist_ok=True)
            os.chmod(scratch, 0o700)  # noqa: PTH101 - the umask does not apply

    def entry(self, windows: Sequence[Window], layer: int) -> int:
        """``layer`` where the base, entered there, gives what it gives as a whole; else 0.

        Measured once a layer on three of ``windows``, because it depends on the architecture: some
        hand more than hidden states from layer to layer (DeBERTa), pad them (Longformer), or keep a
        layer's parts in several lists (XLM). From 0 all layers run, which is slower and right.
        """
        if layer == 0 or not windows:
            return layer
        if layer not in self._entries:
            by_size = sorted(windows, key=lambda w: len(w.ids))
            # The shortest, the median, and one more: a layer's pair of results is no batch of two.
            sample = [by_size[0], by_size[len(by_size) // 2], by_size[len(by_size) // 3]]
            sample = [_of_odd_length(w) for w in sample]
            self._entries[layer] = layer if self._agrees(sample, layer) else 0
        return self._entries[layer]

    @torch.no_grad()
    def _agrees(self, windows: list[Window], layer: int) -> bool:
        base, model = self._base, self._base.model
        whole = model(**pad(windows, base)).logits
        try:
            hidden = stack_hidden(self.hidden(windows, layer, exact=True), base.device)
            with entering_at(model, base.targets.stack, layer, hidden.to(model.dtype)):
                entered = model(**pad(windows, base)).logits
        except (AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError):
            # However an architecture says that it cannot be entered here.
            return False
        if entered.shape != whole.shape:
            return False
        if whole.dim() == 3:
            # What a model says of padding is nobody's, and may be anything.
            lengths = torch.tensor([len(w.ids) for w in windows], device=whole.device)
            real = torch.arange(whole.shape[1], device=whole.device) < lengths[:, None]
            whole, entered = whole[real], entered[real]
        allowed = TOLERANCE.get(model.dtype, COARSE) * max(1.0, float(whole.abs().max()))
        return float((entered - whole).abs().max()) <= allowed

    def hidden(self, windows: Sequence[Window], layer: int, *, exact: bool = False) -> list[Tensor]:
        """The hidden states of each window before ``layer``: (tokens, width), without padding.

        ``exact`` gives those of the base's own precision, where mixed precision is faster.
        """
        fine = exact and self._mixed
        missing = self._missing(windows, layer, fine)
        fresh: dict[bytes, Tensor] = {}
        for batch in by_length(missing, TOKENS_A_PASS):
            self._compute([missing[i] for i in batch], layer, fine, fresh)
        return [self._get((w.key, layer, fine), fresh) for w in windows]

    def warm(self, windows: Sequence[Window], layer: int) -> None:
        """Compute what is missing, as far as there is room to keep it."""
        missing = self._missing(windows, layer, fine=False)
        for batch in by_length(missing, TOKENS_A_PASS):
            if self._scratch is None and self._used >= self._memory:
                return
            self._compute([missing[i] for i in batch], layer, fine=False, fresh={})

    def _missing(self, windows: Sequence[Window], layer: int, fine: bool) -> list[Window]:
        held = self._held
        return list({w.key: w for w in windows if (w.key, layer, fine) not in held}.values())

    def _get(self, key: _Key, fresh: dict[bytes, Tensor]) -> Tensor:
        if key[0] in fresh:
            return fresh[key[0]]
        held = self._held[key]
        return held if isinstance(held, Tensor) else torch.from_numpy(np.load(held))

    @torch.no_grad()
    def _compute(
        self, windows: list[Window], layer: int, fine: bool, fresh: dict[bytes, Tensor]
    ) -> None:
        caught: list[Tensor] = []

        def catch(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            caught.append(args[0] if args else kwargs["hidden_states"])
            raise _Reached

        stack = self._base.model.get_submodule(self._base.targets.stack)
        hook = stack[layer].register_forward_pre_hook(catch, with_kwargs=True)
        try:
            with autocast(self._base.device, self._mixed and not fine):
                self._base.model(**pad(windows, self._base))
        except _Reached:
            pass
        finally:
            hook.remove()
        for window, states in zip(windows, caught[0], strict=True):
            own = states[: len(window.ids)].to("cpu", torch.float32, copy=True)
            fresh[window.key] = own
            self._keep((window.key, layer, fine), own)

    def _keep(self, key: _Key, states: Tensor) -> None:
        size = states.numel() * states.element_size()
        if self._used + size <= self._memory:
            self._held[key], self._used = states, self._used + size
        elif self._scratch is not None:
            path = self._scratch / f"{key[0].hex()}-{key[1]}{'-exact' * key[2]}.npy"
            np.save(path, states.numpy())
            self._held[key] = path


def _of_odd_length(window: Window) -> Window:
    """Without its last token where their number is even: no multiple of an attention window."""
    if len(window.ids) % 2 or window.branches:
        return window
    return replace(window, ids=window.ids[:-1], key=window.key + b"-")


class _Reached(Exception):
    """The hidden states were caught; the layers above need not run."""


def pad(windows: Sequence[Window], base: Base) -> dict[str, Tensor]:
    """What a model is given of a batch: token ids and mask, padded on the right; positions.

    Where windows branch, the mask is of (rows, 1, longest, longest), 0 where a token is seen.
    """
    longest = max(len(w.ids) for w in windows)
    ids = torch.full((len(windows), longest), int(base.model.config.pad_token_id or 0))
    mask = torch.zeros((len(windows), longest), dtype=torch.long)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = torch.tensor(window.ids)
        mask[row, : len(window.ids)] = 1
    given = {"input_ids": ids, "attention_mask": mask}
    if any(w.branches for w in windows):
        seen, given["position_ids"] = _branching(windows, longest)
        hidden = torch.finfo(base.model.dtype).min
        given["attention_mask"] = torch.zeros(seen.shape, dtype=base.model.dtype)
        given["attention_mask"].masked_fill_(~seen, hidden)
    return {name: tensor.to(base.device) for name, tensor in given.items()}


def _branching(windows: Sequence[Window], longest: int) -> tuple[Tensor, Tensor]:
    """What each token sees, (rows, 1, longest, longest), and each one's position."""
    seen = torch.ones(longest, longest, dtype=torch.bool).tril().repeat(len(windows), 1, 1, 1)
    positions = torch.arange(longest).repeat(len(windows), 1)
    for row, window in enumerate(windows):
        start = stem = len(window.ids) - sum(window.branches)
        for length in window.branches:
            stop = start + length
            seen[row, 0, start:stop, stem:start] = False
            positions[row, start:stop] = torch.arange(stem, stem + length)
            start = stop
    return seen, positions


def stack_hidden(states: Sequence[Tensor], device: torch.device) -> Tensor:
    """(rows, longest, width), zero where padded: masked tokens change nothing."""
    return nn.utils.rnn.pad_sequence(list(states), batch_first=True).to(device)


@contextmanager
def entering_at(model: nn.Module, stack: str, layer: int, hidden: Tensor) -> Iterator[None]:
    """Within the body, ``model`` starts at ``layer`` with ``hidden``; the layers below are out.

    The model's own forward still makes masks and positions, so that nothing of an architecture
    is written down twice. Layers keep their places, because some models choose a layer's mask
    by its place.
    """
    parent_name, _, name = stack.rpartition(".")
    parent = model.get_submodule(parent_name)
    whole = getattr(parent, name)
    shorter = nn.ModuleList([*(_Skipped(low, hidden) for low in whole[:layer]), *whole[layer:]])

    def enter(
        _module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args:
            return (hidden, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": hidden}

    # A skipped layer's result is read as a tensor by some models and as a tuple by others, so
    # the first true layer is given its input in any case.
    hook = whole[layer].register_forward_pre_hook(enter, with_kwargs=True)
    setattr(parent, name, shorter)
    try:
        yield
    finally:
        setattr(parent, name, whole)
        hook.remove()


class _Skipped(nn.Module):
    """Stands where a layer was, with its attributes but without its work."""

    def __init__(self, layer: nn.Module, hidden: Tensor) -> None:
        super().__init__()
        # In a list, so that it does not become a child.
        self._instead, self._hidden = [layer], [hidden]

    def forward(self, *_args: Any, **_kwargs: Any) -> Tensor:
        return self._hidden[0]

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["_instead"][0], name)
