"""What every engine keeps of a trial: documents as windows, counters, weights, optimiser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_bytes
from safetensors.torch import save as save_bytes
from torch import Tensor

from medsweep.corpus import Document
from medsweep.models.load import Base
from medsweep.tasks import Task
from medsweep.training.adapter import load_tensors, save_adapter
from medsweep.training.batches import step_batch
from medsweep.training.encode import Window
from medsweep.training.forward import class_weights
from medsweep.training.methods import Method, PredictionOutput
from medsweep.training.optim import make_optimizer, set_rate, share_of_rate, total_steps
from medsweep.training.recipe import Evaluation, Recipe, TrialError


@dataclass(slots=True)
class Progress:
    """Counters of a trial; all that its learning curve needs."""

    step: int = 0
    iteration: int = 0
    tokens: int = 0
    seconds: float = 0.0
    train_loss: float = 0.0
    best_score: float | None = None


@dataclass(slots=True)
class TrainState:
    """One trial in training.

    Attributes:
        recipe: what it trains by.
        windows: the labelled windows of its training documents.
        dev: documents that score it, and their windows.
        layer: where its windows enter the model: at the lowest adapted layer, or at 0.
        weights: of the classes, in the loss.
        total: optimiser steps of its budget.
        parameters: what is trained, by the names of an adapter file.
        optimizer: over ``parameters``, in their order.
        progress: how far it is.
        best: a copy of ``parameters`` at the best evaluation so far.
    """

    recipe: Recipe
    windows: list[Window] = field(repr=False)
    dev: tuple[Document, ...] = field(repr=False)
    dev_windows: list[Window] = field(repr=False)
    layer: int
    weights: Tensor
    total: int
    parameters: Mapping[str, Tensor] = field(repr=False)
    optimizer: torch.optim.AdamW = field(repr=False)
    progress: Progress = field(default_factory=Progress)
    best: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @contextmanager
    def best_weights(self) -> Iterator[None]:
        """Within the body the parameters are those of the best evaluation so far."""
        now = {n: t.detach().clone() for n, t in self.parameters.items()}
        load_tensors(self.parameters, self.best or now)
        try:
            yield
        finally:
            load_tensors(self.parameters, now)

    def update(self, windows: Sequence[Window]) -> None:
        """The optimiser's step after the backward pass of ``windows``."""
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.recipe.max_grad_norm)
        set_rate(self.optimizer, share_of_rate(self.progress.step, self.total, self.recipe.warmup))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.progress.step += 1
        self.progress.tokens += sum(len(w.ids) for w in windows)

    def save(self, base: Base, task: Task, folder: Path) -> None:
        """Write the best adapter so far as a plain PEFT folder."""
        tensors, score = self.best or self.parameters, self.progress.best_score
        save_adapter(base, task, self.recipe, tensors, folder, dev_score=score)

    def next_batch(self) -> list[Window]:
        """The windows of the next optimiser step."""
        return step_batch(
            self.windows, self.recipe.batch_size, self.recipe.seed, self.progress.step
        )

    def next_evaluation(self) -> int:
        """The step at which dev is scored next.

        Raises:
            TrialError: the budget is spent.
        """
        if self.progress.iteration >= self.recipe.evaluations:
            raise TrialError("the trial's budget is spent")
        return round(self.total * (self.progress.iteration + 1) / self.recipe.evaluations)


def new_state(
    base: Base,
    method: Method[Any],
    recipe: Recipe,
    train: Sequence[Document],
    dev: Sequence[Document],
    parameters: Mapping[str, Tensor],
) -> TrainState:
    """A fresh trial over ``parameters``.

    Raises:
        TrialError: there is nothing to train on.
    """
    encoded = method.encode(train, recipe.max_length, for_training=True)
    windows = [w for w in encoded if w.target is not None]
    if not windows:
        raise TrialError("no training document has a label of the task")
    weights = class_weights(windows, method.classes, recipe.class_weights)
    return TrainState(
        recipe,
        windows,
        tuple(dev),
        method.encode(dev, recipe.max_length, for_training=False),
        base.targets.top(recipe.top_layers)[0],
        weights.to(base.device),
        total_steps(recipe, len(windows)),
        parameters,
        make_optimizer(parameters, recipe),
    )


def score_dev(state: TrainState, task: Task, output: PredictionOutput) -> Evaluation:
    """Score dev, keep the adapter if it is the best so far, and give that point."""
    values = [task.value(p) for p in output.predictions]
    scores = task.score([task.gold(d) for d in state.dev], values)
    metrics = {**output.metrics, **scores}
    progress, score = state.progress, float(metrics[task.metric])
    progress.iteration += 1
    best = progress.best_score is None or score >= progress.best_score
    if best:
        progress.best_score = score
        state.best = {n: t.detach().clone() for n, t in state.parameters.items()}
    per_epoch = -(-len(state.windows) // state.recipe.batch_size)
    return Evaluation(
        iteration=progress.iteration,
        step=progress.step,
        epoch=progress.step / per_epoch,
        train_loss=progress.train_loss,
        metrics=metrics,
        best=best,
        tokens=progress.tokens,
        seconds=progress.seconds,
        done=progress.iteration >= state.recipe.evaluations,
    )


def dump_state(state: TrainState) -> bytes:
    """A trial as safetensors: adapter, best adapter, moments; counters as JSON in the header."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in state.parameters.items():
        tensors[f"now/{name}"] = parameter
        for key, moment in state.optimizer.state.get(parameter, {}).items():
            tensors[f"{key}/{name}"] = moment
    tensors |= {f"best/{name}": t for name, t in state.best.items()}
    held = {n: t.detach().cpu().contiguous() for n, t in tensors.items()}
    header = {"progress": asdict(state.progress), "recipe": state.recipe.to_dict()}
    return bytes(save_bytes(held, metadata={"medsweep": json.dumps(header)}))


def load_state(state: TrainState, saved: bytes) -> None:
    """Put a trial back to where :func:`dump_state` found it.

    Raises:
        TrialError: ``saved`` is of another recipe.
    """
    header, tensors = _header(saved), load_bytes(saved)
    if Recipe.from_dict(header.get("recipe", {})) != state.recipe:
        raise TrialError("a saved state of another recipe")
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        part, _, name = key.partition("/")
        parts.setdefault(part, {})[name] = tensor
    load_tensors(state.parameters, parts.pop("now"))
    state.best = {n: t.to(state.parameters[n].device) for n, t in parts.pop("best", {}).items()}
    for key, moments in parts.items():
        for name, moment in moments.items():
            parameter = state.parameters[name]
            # AdamW keeps its step counts on the CPU.
            placed = moment if key == "step" else moment.to(parameter.device)
            state.optimizer.state[parameter][key] = placed
    state.progress = Progress(**header["progress"])


def _header(saved: bytes) -> dict[str, Any]:
    length = int.from_bytes(saved[:8], "little")
    metadata = json.loads(saved[8 : 8 + length]).get("__metadata__", {})
    header: dict[str, Any] = json.loads(metadata.get("medsweep", "{}"))
    return header
