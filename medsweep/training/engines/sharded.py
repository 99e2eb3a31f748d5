"""One base over several devices: FSDP shards what is frozen, and the rows of a step are divided.

The engine for models too large for one device. Every worker of a ``torch.distributed`` process
group makes the same calls in the same order; what they give is the same on all of them. Only the
frozen base is sharded. Adapter and head are small, so every worker holds them whole and takes the
same optimiser step: recipe, state and adapter folder are those of the engine ``solo``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard

from medsweep.corpus import Document
from medsweep.models.load import Base, load_base
from medsweep.models.resolve import ModelFolder
from medsweep.tasks import MethodName, Task
from medsweep.training.adapter import insert_adapter, remove_adapter, seeded
from medsweep.training.batches import by_length
from medsweep.training.encode import Window
from medsweep.training.engines.packed import head_modules
from medsweep.training.engines.solo import SoloEngine, SoloSlot
from medsweep.training.forward import reading_precision, token_budget
from medsweep.training.methods import PredictionOutput
from medsweep.training.recipe import Recipe


def load_sharded(
    folder: ModelFolder,
    task: Task,
    *,
    method: MethodName = "head",
    trust_remote_code: bool = False,
) -> Base:
    """This worker's part of a base; all workers of the process group call it.

    Workers of one machine load in turn, so that it never holds more than one whole copy.

    Raises:
        ModelError: as :func:`medsweep.models.load.load_base` does.
    """
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", torch.cuda.current_device()) if cuda else torch.device("cpu")
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    place = int(os.environ.get("LOCAL_RANK", dist.get_rank()))
    base: Base | None = None
    for turn in range(dist.get_world_size()):
        if turn == place:
            base = load_base(
                folder,
                task,
                method=method,
                device=str(device),
                trust_remote_code=trust_remote_code,
                move=False,
            )
            shard(base, mesh)
        dist.barrier()
    assert base is not None
    return base


def shard(base: Base, mesh: DeviceMesh) -> None:
    """Keep this worker's part of every frozen tensor of ``base``, layer by layer.

    A layer's tensors are gathered while it computes, forward and backward.
    """
    model = base.model
    heads = [model.get_submodule(name).to(base.device) for name in head_modules(base)]
    ours = {p for head in heads for p in head.parameters()}
    for layer in model.get_submodule(base.targets.stack):
        fully_shard(layer, mesh=mesh, ignored_params=ours)
    fully_shard(model, mesh=mesh, ignored_params=ours, reshard_after_forward=True)
    # Workers write texts of their own lengths; transformers keeps them in step where it knows.
    model._is_fsdp_managed_module = True


class ShardedEngine(SoloEngine):
    """Trains one adapter at a time, in the modules of the base itself.

    Opening a slot closes the one before. Nothing below the lowest adapted layer is cached, and
    every adapted layer is computed again in the backward pass: memory is what such a base lacks.

    Args:
        base: from :func:`load_sharded`.
        task: what is learnt.
    """

    _checkpointing = True

    def __init__(self, base: Base, task: Task) -> None:
        super().__init__(base, task)
        self._cache = None
        self._rank, self._workers = dist.get_rank(), dist.get_world_size()
        self._open: Any = None

    def attach(
        self,
        trial: str,
        recipe: Recipe,
        train: Sequence[Document],
        dev: Sequence[Document],
        saved: bytes | None = None,
    ) -> None:
        """Open a slot, fresh or from a state of this engine or the solo one."""
        self._close()
        super().attach(trial, recipe, train, dev, saved)

    def _adapter(self, recipe: Recipe) -> Any:
        self._open = insert_adapter(self._base.model, self._base, self._task, recipe)
        return self._open

    def _close(self) -> None:
        self._slots.clear()
        if self._open is not None:
            remove_adapter(self._open)
            self._open = None

    def _divided(self, windows: Sequence[Window]) -> Iterator[tuple[list[int], bool]]:
        """This worker's part of each batch, and whether it has one.

        Who has none computes a row that counts for nothing: gathering a layer takes all workers.
        """
        for batch in by_length(windows, token_budget(self._base.device) * self._workers):
            own = batch[self._rank :: self._workers]
            yield own or batch[:1], bool(own)

    def _backward(self, slot: SoloSlot, windows: Sequence[Window]) -> float:
        """Leave the gradients of a step's loss on every worker, and give it."""
        state, count, loss = slot.state, self._method.count(windows), 0.0
        # Each worker drops its own features.
        with seeded(
            self._base.device,
            state.recipe.seed * self._workers + self._rank,
            state.progress.step,
        ):
            for batch, counts in self._divided(windows):
                part = self._loss(slot, [windows[i] for i in batch], count) * counts
                part.backward()  # type: ignore[no-untyped-call]
                loss += part.item()
        return _sum_over_workers(list(state.parameters.values()), loss)

    @torch.no_grad()
    def _read(
        self,
        slot: SoloSlot,
        documents: Sequence[Document],
        windows: Sequence[Window],
        *,
        exact: bool,
    ) -> PredictionOutput:
        own: dict[int, Any] = {}
        for batch, counts in self._divided(windows):
            # Its tensors are in parts, which nobody but FSDP converts.
            with reading_precision(self._base, exact=exact or self._method.by_token):
                part = self._method.read(slot.model, [windows[i] for i in batch])
            own |= zip(batch, part, strict=True) if counts else ()
        parts: list[Any] = [None] * self._workers
        dist.all_gather_object(parts, own)
        readings = {i: reading for part in parts for i, reading in part.items()}
        ordered = [readings[i] for i in range(len(windows))]
        return self._method.decode(documents, windows, ordered)

    def save(self, trial: str, folder: Path) -> None:
        """Write the best adapter so far as a plain PEFT folder; one worker does."""
        if self._rank == 0:
            super().save(trial, folder)
        dist.barrier()

    def detach(self, trial: str) -> None:
        """Close a trial's slot; unknown trials are ignored."""
        if trial in self._slots:
            self._close()
        super().detach(trial)


def _sum_over_workers(parameters: Sequence[Tensor], loss: float) -> float:
    """Replace each gradient by its sum over workers, and give the sum of ``loss``: one message."""
    held = [p.grad for p in parameters if p.grad is not None]
    numbers = torch.cat([held[0].new_tensor([loss]), *(g.flatten() for g in held)])
    dist.all_reduce(numbers)
    sizes = [1, *(g.numel() for g in held)]
    total, *sums = numbers.split(sizes)  # type: ignore[no-untyped-call]
    for gradient, sum_ in zip(held, sums, strict=True):
        gradient.copy_(sum_.view_as(gradient))
    return float(total)
