"""Many adapters on one frozen base, trained by one forward and one backward pass a step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from medsweep.corpus import Document
from medsweep.models.load import Base
from medsweep.tasks import Task
from medsweep.training._base import Evaluation, Prediction, Recipe, TrialError
from medsweep.training.adapter import fresh_adapter, trainable
from medsweep.training.encode import Window
from medsweep.training.forward import token_budget
from medsweep.training.lora_layers import Adapter, adapter_of
from medsweep.training.meeting import Meeting
from medsweep.training.memory import Budget, meter_of
from medsweep.training.methods import Found, make_method
from medsweep.training.packed import PackedModel, Row, passes, segments
from medsweep.training.precision import at_least_float
from medsweep.training.prefix import PrefixCache
from medsweep.training.slots import Slot, close_evaluation, open_slot, pack_state, unpack_state

Outcome = TypeVar("Outcome")


@dataclass(slots=True, eq=False)
class _Trial:
    """A slot, its adapter, and what it has done since its last evaluation."""

    slot: Slot
    adapter: Adapter
    stop: int = 0
    losses: list[float] = field(default_factory=list)

    def rows(
        self, windows: Iterable[Window], *, noisy: bool = False, whole: bool = False
    ) -> list[Row]:
        entry = 0 if whole else self.slot.layer
        return [
            Row(self.adapter, entry, w, self._noise(i) if noisy else None)
            for i, w in enumerate(windows)
        ]

    def learn(self, loss: float, windows: Sequence[Window]) -> None:
        """Take the optimiser's step behind a backward pass.

        Raises:
            TrialError: the loss is not finite.
        """
        if not math.isfinite(loss):
            step = self.slot.progress.step + 1
            raise TrialError(f"the loss is not finite at step {step}")
        self.slot.update(windows)
        self.losses.append(loss)

    def _noise(self, row: int) -> torch.Generator | None:
        """Named by seed, step and row alone, so that it does not matter who else is there."""
        if not self.adapter.dropout:
            return None
        key = np.random.SeedSequence((self.slot.recipe.seed, self.slot.progress.step, row))
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
        self._budget = Budget(token_budget(base.device), meter_of(base.device))
        # What a pass of training takes says nothing of answers that grow.
        self._writing = Budget(token_budget(base.device, by_token=True))
        self._trials: dict[str, _Trial] = {}
        self.predicting: dict[str, float] = {}
        self._meeting: Meeting[Evaluation] = Meeting(self._step, lambda: len(self._trials))

    def attach(
        self,
        slot: str,
        recipe: Recipe,
        train: Sequence[Document],
        dev: Sequence[Document],
        state: bytes | None = None,
    ) -> None:
        """Open a slot, fresh or from what :meth:`state` gave."""
        with self._meeting.between_steps():
            peft = fresh_adapter(self._base, self._task, recipe)
            opened = open_slot(self._base, self._method, recipe, train, dev, trainable(peft))
            if state is not None:
                unpack_state(opened, state)
            self._trials[slot] = _Trial(opened, adapter_of(peft, recipe.dropout))

    def advance(self, slot: str) -> Evaluation:
        """Train to the next evaluation, score dev, and return that point."""
        with self._meeting.between_steps():
            trial = self._trials[slot]
            trial.stop = trial.slot.next_stop()
        return self._meeting.join(slot)

    def state(self, slot: str) -> bytes:
        """Everything needed to go on elsewhere."""
        with self._meeting.between_steps():
            return pack_state(self._trials[slot].slot)

    def predict(self, slot: str, documents: Sequence[Document]) -> list[Prediction]:
        """Predict with the best adapter so far, in the order of ``documents``."""
        with self._meeting.between_steps():
            trial, began = self._trials[slot], time.perf_counter()
            mine = trial.slot
            windows = self._method.encode(documents, mine.recipe.max_length, to_learn=False)
            rows = [Row(trial.adapter, 0, w) for w in windows]
            with mine.at_its_best():
                readings = self._read(rows, exact=True)
            found = self._method.decode(documents, windows, readings).predictions
            self.predicting[slot] = time.perf_counter() - began
            return found

    def save(self, slot: str, folder: Path) -> None:
        """Write the best adapter so far as a plain PEFT folder."""
        with self._meeting.between_steps():
            self._trials[slot].slot.save(self._base, self._task, folder)

    def detach(self, slot: str) -> None:
        """Forget a slot; unknown slots are ignored."""
        with self._meeting.between_steps():
            self._trials.pop(slot, None)
            self.predicting.pop(slot, None)
            self._meeting.leave(slot, TrialError("the trial was detached"))

    def _step(self, names: Sequence[str]) -> dict[str, Evaluation | Exception]:
        """One optimiser step of each slot, and the evaluation of those that have come to it."""
        trials = {n: self._trials[n] for n in names}
        ended: dict[str, Evaluation | Exception] = {}
        ended |= self._train({n: t for n, t in trials.items() if t.slot.progress.step < t.stop})
        due = {n: t for n, t in trials.items() if n not in ended and t.slot.progress.step >= t.stop}
        return ended | self._evaluate(due)

    def _train(self, trials: Mapping[str, _Trial]) -> dict[str, Exception]:
        """One optimiser step of each; gives the errors of those that cannot go on."""
        if not trials:
            return {}
        began = time.perf_counter()
        batches = {n: t.slot.next_batch() for n, t in trials.items()}
        try:
            losses = self._gradients(trials, batches)
        except Exception as error:  # whatever one slot's rows raise must not end the others
            for trial in trials.values():
                trial.slot.optimizer.zero_grad(set_to_none=True)
            if self._budget.answers(error):
                return self._train(trials)
            return _apart(self._train, trials, error)
        failed: dict[str, Exception] = {}
        for name, trial in trials.items():
            try:
                trial.learn(losses[name], batches[name])
            except Exception as error:  # here it is known whose it is
                failed[name] = error
                trial.slot.optimizer.zero_grad(set_to_none=True)
        _share_seconds(trials, batches, time.perf_counter() - began)
        return failed

    def _gradients(
        self, trials: Mapping[str, _Trial], batches: Mapping[str, Sequence[Window]]
    ) -> dict[str, float]:
        """Each slot's loss; its gradients are left in its parameters."""
        rows = [r for n, t in trials.items() for r in t.rows(batches[n], noisy=True)]
        owners = {id(t.adapter): n for n, t in trials.items()}
        counts = {n: self._method.count(b) for n, b in batches.items()}
        losses = dict.fromkeys(trials, 0.0)
        lean = any(t.slot.recipe.gradient_checkpointing for t in trials.values())
        for batch in passes(rows, self._budget):
            chosen = [rows[i] for i in batch]
            entry, longest = chosen[0].entry, max(len(r.window.ids) for r in chosen)
            with (
                self._budget.learning_from(entry, len(chosen), longest),
                self._model.training(chosen, self._method.logits, lean=lean) as logits,
            ):
                logits = at_least_float(logits)
                parts: dict[str, Tensor] = {}
                for segment in segments(chosen):
                    name = owners[id(segment.adapter)]
                    own = slice(segment.start, segment.stop)
                    windows = [r.window for r in chosen[own]]
                    parts[name] = self._method.loss(
                        logits[own], windows, trials[name].slot.weights, counts[name]
                    )
                together = torch.stack(list(parts.values()))
                together.sum().backward()  # type: ignore[no-untyped-call]
            for name, loss in zip(parts, together.tolist(), strict=True):
                losses[name] += loss
        return losses

    def _evaluate(self, trials: Mapping[str, _Trial]) -> dict[str, Evaluation | Exception]:
        """Score the dev documents of all at once."""
        if not trials:
            return {}
        began = time.perf_counter()
        windows = {n: t.slot.dev_windows for n, t in trials.items()}
        try:
            whole = self._method.by_token
            rows = [r for n, t in trials.items() for r in t.rows(windows[n], whole=whole)]
            readings = iter(self._read(rows, exact=False))
            found = {
                n: self._method.decode(t.slot.dev, windows[n], [next(readings) for _ in windows[n]])
                for n, t in trials.items()
            }
        except Exception as error:  # as in training
            return _apart(self._evaluate, trials, error)
        _share_seconds(trials, windows, time.perf_counter() - began)
        return {n: self._close(t, found[n]) for n, t in trials.items()}

    def _read(self, rows: Sequence[Row], *, exact: bool) -> list[Any]:
        """What the method reads of each row, in order."""
        by_token = self._method.by_token
        budget = self._writing if by_token else self._budget
        while True:
            try:
                return self._model.read(
                    rows, budget, self._method.read, exact=exact, by_token=by_token
                )
            except Exception as error:
                if not budget.answers(error):
                    raise

    def _close(self, trial: _Trial, found: Found) -> Evaluation:
        if trial.losses:
            trial.slot.progress.train_loss = math.fsum(trial.losses) / len(trial.losses)
            trial.losses.clear()
        return close_evaluation(trial.slot, self._task, found)


def _apart(
    work: Callable[[Mapping[str, _Trial]], dict[str, Outcome]],
    trials: Mapping[str, _Trial],
    error: Exception,
) -> dict[str, Outcome | Exception]:
    """After an error of nobody knows which slot: each on its own, so that only one fails."""
    if len(trials) == 1:
        return dict.fromkeys(trials, error)
    ended: dict[str, Outcome | Exception] = {}
    for name, trial in trials.items():
        ended |= work({name: trial})
    return ended


def _share_seconds(
    trials: Mapping[str, _Trial], windows: Mapping[str, Sequence[Window]], seconds: float
) -> None:
    tokens = {n: sum(len(w.ids) for w in windows[n]) for n in trials}
    every = max(1, sum(tokens.values()))
    for name, trial in trials.items():
        trial.slot.progress.seconds += seconds * tokens[name] / every
