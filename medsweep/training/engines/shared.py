"""Many adapters on one frozen base, trained by one forward and one backward pass a step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from medsweep.corpus import Document
from medsweep.models.load import Base
from medsweep.models.precision import at_least_float
from medsweep.tasks import Task
from medsweep.tasks.prediction import Prediction
from medsweep.training.adapter import fresh_adapter, trainable
from medsweep.training.encode import Window
from medsweep.training.engines.barrier import StepBarrier
from medsweep.training.engines.packed import PackedModel, PackedRow, row_batches, segments
from medsweep.training.engines.train_state import (
    TrainState,
    dump_state,
    load_state,
    new_state,
    score_dev,
)
from medsweep.training.forward import keeps_exactly, token_budget
from medsweep.training.lora_layers import Adapter, adapter_of
from medsweep.training.memory import TokenBudget, meter_of
from medsweep.training.methods import PredictionOutput, make_method
from medsweep.training.prefix import PrefixCache
from medsweep.training.recipe import Evaluation, Recipe, TrialError

Outcome = TypeVar("Outcome")


@dataclass(slots=True, eq=False)
class SharedSlot:
    """One trial's state, its adapter, and what it has done since its last evaluation."""

    state: TrainState
    adapter: Adapter
    stop: int = 0
    losses: list[float] = field(default_factory=list)

    @property
    def at_evaluation(self) -> bool:
        """Whether all steps before the next evaluation are done."""
        return self.state.progress.step >= self.stop

    def rows(
        self, windows: Iterable[Window], *, noisy: bool = False, whole: bool = False
    ) -> list[PackedRow]:
        """``windows`` for the adapter; ``noisy`` with dropout, ``whole`` through all layers."""
        entry = 0 if whole else self.state.layer
        return [
            PackedRow(self.adapter, entry, w, self._noise(i) if noisy else None)
            for i, w in enumerate(windows)
        ]

    def learn(self, loss: float, windows: Sequence[Window]) -> None:
        """Take the optimiser's step behind a backward pass.

        Raises:
            TrialError: the loss is not finite.
        """
        if not math.isfinite(loss):
            step = self.state.progress.step + 1
            raise TrialError(f"the loss is not finite at step {step}")
        self.state.update(windows)
        self.losses.append(loss)

    def _noise(self, row: int) -> torch.Generator | None:
        """Named by seed, step and row alone, so that it does not matter who else is there."""
        if not self.adapter.dropout:
            return None
        key = np.random.SeedSequence((self.state.recipe.seed, self.state.progress.step, row))
        return torch.Generator().manual_seed(int(key.generate_state(1, np.uint64)[0] >> 1))


class SharedEngine:
    """Steps all slots that wait in :meth:`advance` together; each learns as if alone.

    A step's loss is the sum over slots of each slot's own mean, so no slot's gradient knows of
    another. Optimiser, schedule, clipping, shuffling and dropout are each slot's own.

    Methods may be called from several threads. What a slot computes in is in its ``seconds`` by
    its share of the rows' tokens.

    Args:
        base: never changed.
        task: what is learnt.
        scratch: where hidden states are spilled; None keeps them in memory only.
    """

    def __init__(self, base: Base, task: Task, *, scratch: Path | None = None) -> None:
        self._base, self._task = base, task
        self._method = make_method(base, task)
        self._model = PackedModel(base, PrefixCache(base, scratch))
        self._budget = TokenBudget(token_budget(base.device), meter_of(base.device))
        # What a pass of training takes says nothing of answers that grow.
        self._writing = TokenBudget(token_budget(base.device, by_token=True))
        self._slots: dict[str, SharedSlot] = {}
        self.predicting: dict[str, float] = {}
        self._barrier: StepBarrier[Evaluation] = StepBarrier(self._step, lambda: len(self._slots))

    def attach(
        self,
        trial: str,
        recipe: Recipe,
        train: Sequence[Document],
        dev: Sequence[Document],
        saved: bytes | None = None,
    ) -> None:
        """Open a slot, fresh or from what :meth:`state` gave."""
        with self._barrier.paused():
            peft = fresh_adapter(self._base, self._task, recipe)
            state = new_state(self._base, self._method, recipe, train, dev, trainable(peft))
            if saved is not None:
                load_state(state, saved)
            state.layer = self._model.entry(state.windows, state.layer)
            self._slots[trial] = SharedSlot(state, adapter_of(peft, recipe.dropout))

    def advance(self, trial: str) -> Evaluation:
        """Train to the next evaluation, score dev, and return that point."""
        with self._barrier.paused():
            slot = self._slots[trial]
            slot.stop = slot.state.next_evaluation()
        return self._barrier.wait(trial)

    def state(self, trial: str) -> bytes:
        """Everything needed to go on elsewhere."""
        with self._barrier.paused():
            return dump_state(self._slots[trial].state)

    def predict(self, trial: str, documents: Sequence[Document]) -> list[Prediction]:
        """Predict with the best adapter so far, in the order of ``documents``."""
        with self._barrier.paused():
            slot, began = self._slots[trial], time.perf_counter()
            state = slot.state
            windows = self._method.encode(documents, state.recipe.max_length, for_training=False)
            whole = self._method.by_token or not keeps_exactly(self._base)
            rows = slot.rows(windows, whole=whole)
            with state.best_weights():
                readings = self._read(rows, exact=True)
            predictions = self._method.decode(documents, windows, readings).predictions
            self.predicting[trial] = time.perf_counter() - began
            return predictions

    def save(self, trial: str, folder: Path) -> None:
        """Write the best adapter so far as a plain PEFT folder."""
        with self._barrier.paused():
            self._slots[trial].state.save(self._base, self._task, folder)

    def detach(self, trial: str) -> None:
        """Close a trial's slot; unknown trials are ignored."""
        with self._barrier.paused():
            self._slots.pop(trial, None)
            self.predicting.pop(trial, None)
            self._barrier.cancel(trial, TrialError("the trial was detached"))

    def _step(self, trials: Sequence[str]) -> dict[str, Evaluation | Exception]:
        """One optimiser step of each slot, and the evaluation of those that have come to it."""
        slots = {n: self._slots[n] for n in trials}
        results: dict[str, Evaluation | Exception] = {}
        results |= self._train({n: s for n, s in slots.items() if not s.at_evaluation})
        due = {n: s for n, s in slots.items() if n not in results and s.at_evaluation}
        return results | self._evaluate(due)

    def _train(self, slots: Mapping[str, SharedSlot]) -> dict[str, Exception]:
        """One optimiser step of each; gives the errors of those that cannot go on."""
        if not slots:
            return {}
        began = time.perf_counter()
        batches = {n: s.state.next_batch() for n, s in slots.items()}
        try:
            losses = self._gradients(slots, batches)
        except Exception as error:  # whatever one slot's rows raise must not end the others
            for slot in slots.values():
                slot.state.optimizer.zero_grad(set_to_none=True)
            if self._budget.recover(error):
                return self._train(slots)
            return _one_by_one(self._train, slots, error)
        failed: dict[str, Exception] = {}
        for name, slot in slots.items():
            try:
                slot.learn(losses[name], batches[name])
            except Exception as error:  # here it is known whose it is
                failed[name] = error
                slot.state.optimizer.zero_grad(set_to_none=True)
        _share_seconds(slots, batches, time.perf_counter() - began)
        return failed

    def _gradients(
        self, slots: Mapping[str, SharedSlot], batches: Mapping[str, Sequence[Window]]
    ) -> dict[str, float]:
        """Each slot's loss; its gradients are left in its parameters."""
        rows = [r for n, s in slots.items() for r in s.rows(batches[n], noisy=True)]
        counts = {n: self._method.count(b) for n, b in batches.items()}
        checkpointing = any(s.state.recipe.gradient_checkpointing for s in slots.values())
        losses = dict.fromkeys(slots, 0.0)
        for indices in row_batches(rows, self._budget):
            batch = [rows[i] for i in indices]
            entry, longest = batch[0].entry, max(len(r.window.ids) for r in batch)
            with (
                self._budget.measured(entry, len(batch), longest),
                self._model.training(
                    batch, self._method.logits, checkpointing=checkpointing
                ) as logits,
            ):
                parts = self._losses(slots, batch, at_least_float(logits), counts)
                together = torch.stack(list(parts.values()))
                together.sum().backward()  # type: ignore[no-untyped-call]
            for name, loss in zip(parts, together.tolist(), strict=True):
                losses[name] += loss
        return losses

    def _losses(
        self,
        slots: Mapping[str, SharedSlot],
        batch: Sequence[PackedRow],
        logits: Tensor,
        counts: Mapping[str, int],
    ) -> dict[str, Tensor]:
        """What one batch of rows adds to the loss of each slot that has rows in it."""
        owners = {id(s.adapter): n for n, s in slots.items()}
        losses: dict[str, Tensor] = {}
        for segment in segments(batch):
            name, own = owners[id(segment.adapter)], slice(segment.start, segment.stop)
            windows = [r.window for r in batch[own]]
            losses[name] = self._method.loss(
                logits[own], windows, slots[name].state.weights, counts[name]
            )
        return losses

    def _evaluate(self, slots: Mapping[str, SharedSlot]) -> dict[str, Evaluation | Exception]:
        """Score the dev documents of all at once."""
        if not slots:
            return {}
        began = time.perf_counter()
        windows = {n: s.state.dev_windows for n, s in slots.items()}
        try:
            whole = self._method.by_token
            rows = [r for n, s in slots.items() for r in s.rows(windows[n], whole=whole)]
            readings = iter(self._read(rows, exact=False))
            outputs = {
                n: self._method.decode(
                    s.state.dev, windows[n], list(islice(readings, len(windows[n])))
                )
                for n, s in slots.items()
            }
        except Exception as error:  # as in training
            return _one_by_one(self._evaluate, slots, error)
        _share_seconds(slots, windows, time.perf_counter() - began)
        results: dict[str, Evaluation | Exception] = {}
        for name, slot in slots.items():
            try:
                results[name] = self._score(slot, outputs[name])
            except Exception as error:  # here it is known whose it is
                results[name] = error
        return results

    def _read(self, rows: Sequence[PackedRow], *, exact: bool) -> list[Any]:
        """What the method reads of each row, in order."""
        by_token = self._method.by_token
        budget = self._writing if by_token else self._budget
        while True:
            try:
                return self._model.read(
                    rows, budget, self._method.read, exact=exact, by_token=by_token
                )
            except Exception as error:
                if not budget.recover(error):
                    raise

    def _score(self, slot: SharedSlot, output: PredictionOutput) -> Evaluation:
        if slot.losses:
            slot.state.progress.train_loss = math.fsum(slot.losses) / len(slot.losses)
            slot.losses.clear()
        return score_dev(slot.state, self._task, output)


def _one_by_one(
    work: Callable[[Mapping[str, SharedSlot]], dict[str, Outcome]],
    slots: Mapping[str, SharedSlot],
    error: Exception,
) -> dict[str, Outcome | Exception]:
    """After an error of nobody knows which slot: each on its own, so that only one fails."""
    if len(slots) == 1:
        return dict.fromkeys(slots, error)
    results: dict[str, Outcome | Exception] = {}
    for name, slot in slots.items():
        results |= work({name: slot})
    return results


def _share_seconds(
    slots: Mapping[str, SharedSlot], windows: Mapping[str, Sequence[Window]], seconds: float
) -> None:
    """Divide compute time by the tokens of each slot's windows."""
    tokens = {n: sum(len(w.ids) for w in windows[n]) for n in slots}
    every = max(1, sum(tokens.values()))
    for name, slot in slots.items():
        slot.state.progress.seconds += seconds * tokens[name] / every
