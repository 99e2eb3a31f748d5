"""One pass of a base over rows of several adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from medsweep.models.load import Base
from medsweep.models.precision import autocast
from medsweep.training.batches import by_length
from medsweep.training.checkpointing import checkpointed
from medsweep.training.encode import Window
from medsweep.training.forward import reading_precision
from medsweep.training.lora_layers import Adapter, Segment, adapted
from medsweep.training.memory import TokenBudget
from medsweep.training.prefix import PrefixCache, entering_at, pad, stack_hidden

Result = TypeVar("Result")
_NOTHING = np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True)
class PackedRow:
    """One window as one adapter is to see it.

    Attributes:
        adapter: whose row it is.
        entry: the layer at which it enters; what lies below is frozen. 0 runs all layers.
        window: the tokens.
        noise: for dropout; None where nothing is dropped.
    """

    adapter: Adapter
    entry: int
    window: Window
    noise: torch.Generator | None = None


def row_batches(
    rows: Sequence[PackedRow], budget: TokenBudget, *, apart: bool = False
) -> list[list[int]]:
    """Indices of ``rows`` in batches that can go through the base together.

    Rows of a batch enter at the same layer, are of like length, and stand by adapter; ``apart``
    allows one adapter a batch.
    """
    order: dict[int, int] = {}
    for row in rows:
        order.setdefault(id(row.adapter), len(order))
    groups: dict[tuple[int, int], list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault((row.entry, order[id(row.adapter)] if apart else 0), []).append(i)
    batches = []
    for (entry, _), members in sorted(groups.items()):
        windows = [rows[i].window for i in members]
        tokens = budget.tokens(entry, max(len(w.ids) for w in windows))
        for batch in by_length(windows, tokens):
            batches.append(
                sorted((members[b] for b in batch), key=lambda i: order[id(rows[i].adapter)])
            )
    return batches


class PackedModel:
    """A frozen base, run over rows of many adapters at once.

    Args:
        base: the frozen model.
        cache: what is known of the layers below the adapted ones.

    Attributes:
        dtype: of the base, where it is not quantised.
    """

    def __init__(self, base: Base, cache: PrefixCache) -> None:
        self._base, self._cache = base, cache
        self.dtype: torch.dtype = base.model.dtype

    def entry(self, windows: Sequence[Window], layer: int) -> int:
        """Where adapters of ``layer`` and above may enter: there, or at 0."""
        return self._cache.entry(windows, layer)

    @contextmanager
    def training(
        self,
        rows: Sequence[PackedRow],
        compute: Callable[[Any, Sequence[Window]], Result],
        *,
        checkpointing: bool = False,
    ) -> Iterator[Result]:
        """What ``compute`` makes of one batch, with the backward pass to be done in the body.

        ``checkpointing`` computes the adapted layers again in it, in place of keeping all that it
        needs.
        """
        base, noise = self._base, [r.noise for r in rows if r.noise is not None]
        layers = (
            base.model.get_submodule(base.targets.stack)[rows[0].entry :] if checkpointing else ()
        )
        with self._adapted_to(rows), checkpointed(layers, noise):
            with autocast(base.device):
                result = compute(base.model, [r.window for r in rows])
            yield result

    @contextmanager
    def _adapted_to(self, rows: Sequence[PackedRow], *, exact: bool = False) -> Iterator[None]:
        """Within the body, the base answers ``rows`` as their adapters would, from their layer."""
        base, entry = self._base, rows[0].entry
        windows = [r.window for r in rows]
        hidden = self._cache.hidden(windows, entry, exact=exact) if entry else []
        with ExitStack() as context:
            context.enter_context(adapted(base.model, segments(rows)))
            if entry:
                states = stack_hidden(hidden, base.device).to(self.dtype)
                context.enter_context(entering_at(base.model, base.targets.stack, entry, states))
            yield

    @torch.no_grad()
    def read(
        self,
        rows: Sequence[PackedRow],
        budget: TokenBudget,
        read: Callable[[Any, Sequence[Window]], Sequence[Result]],
        *,
        exact: bool = False,
        by_token: bool = False,
    ) -> list[Result]:
        """What ``read`` gives for each row, in order.

        ``exact`` computes as plain PEFT does, in the base's own precision; ``by_token`` is the
        method's.
        """
        results: dict[int, Result] = {}
        with reading_precision(self._base, exact=exact, by_token=by_token):
            for batch in row_batches(rows, budget, apart=by_token):
                chosen = [rows[i] for i in batch]
                with self._adapted_to(chosen, exact=exact):
                    readings = read(self._base.model, [r.window for r in chosen])
                results |= zip(batch, readings, strict=True)
        return [results[i] for i in range(len(rows))]


def segments(rows: Sequence[PackedRow]) -> list[Segment]:
    """Runs of rows of the same adapter."""
    runs: list[Segment] = []
    for _, run in groupby(rows, key=lambda r: id(r.adapter)):
        own = list(run)
        start = runs[-1].stop if runs else 0
        noise = tuple(r.noise for r in own if r.noise is not None)
        lengths = [len(r.window.ids) for r in own]
        runs.append(Segment(own[0].adapter, start, start + len(own), lengths, noise))
    return runs


@torch.no_grad()
def can_pack(base: Base) -> bool:
    """Whether rows stay apart in every module that an adapter changes.

    Tried rather than looked up: mixtures of experts and models that remove padding hand their
    layers a list of tokens in which nobody can tell whose is whose.
    """
    lengths = (3, 5)
    windows = [Window(0, (1,) * n, _NOTHING, _NOTHING, None, bytes([n])) for n in lengths]
    separate: list[bool] = []

    def record(_module: nn.Module, args: tuple[Any, ...], out: Any, least: int) -> None:
        apart = [isinstance(t, Tensor) and t.ndim >= least for t in (*args[:1], out)]
        separate.append(len(apart) == 2 and all(apart) and len(args[0]) == len(out) == len(lengths))

    places = [(n, 3) for n in adaptable(base)] + [(n, 2) for n in head_modules(base)]
    with ExitStack() as context:
        for name, least in places:
            module = base.model.get_submodule(name)
            context.callback(module.register_forward_hook(partial(record, least=least)).remove)
        with autocast(base.device):
            base.model(**pad(windows, base))
    return len(separate) >= len(places) and all(separate)


def adaptable(base: Base) -> list[str]:
    """Dotted names of the linear layers that an adapter may change."""
    stack, linears = base.targets.stack, base.targets.linears
    names = (f"{stack}.{i}.{n}" for i in range(base.targets.layers) for n in linears)
    known = dict(base.model.named_modules())
    return [n for n in names if n in known]


def head_modules(base: Base) -> list[str]:
    """Dotted names of the modules that are trained in full, as PEFT finds them."""
    return [n for n, _ in base.model.named_modules() if base.heads and n.endswith(base.heads)]
