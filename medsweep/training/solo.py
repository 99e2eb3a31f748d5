"""One adapter after another with plain PEFT: the readable account of what a trial is."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from medsweep.corpus import Document
from medsweep.models.load import Base
from medsweep.tasks import Task
from medsweep.training._base import Evaluation, Prediction, Recipe, TrialError
from medsweep.training.adapter import fresh_adapter, seeded, trainable
from medsweep.training.batches import by_length
from medsweep.training.checkpointing import checkpointed
from medsweep.training.encode import Window
from medsweep.training.forward import from_layer, read_windows, token_budget
from medsweep.training.memory import Budget
from medsweep.training.methods import Found, make_method
from medsweep.training.precision import at_least_float, autocast
from medsweep.training.prefix import PrefixCache
from medsweep.training.slots import Slot, close_evaluation, open_slot, pack_state, unpack_state


@dataclass(slots=True)
class Trial:
    """A slot and the base with this slot's adapter in it, named as the base is."""

    slot: Slot
    model: Any
    dropouts: list[nn.Dropout]


class SoloEngine:
    """Trains one adapter at a time; many may be open.

    Each slot has modules of its own over the base's frozen tensors, and draws its random
    numbers from its recipe's seed and step alone, so slots cannot touch one another.

    Args:
        base: never changed.
        task: what is learnt.
        scratch: where hidden states are spilled; None keeps them in memory only.
    """

    # Whether memory is so short that no recipe need say so.
    _lean = False

    def __init__(self, base: Base, task: Task, *, scratch: Path | None = None) -> None:
        self._base, self._task = base, task
        self._method = make_method(base, task)
        self._cache: PrefixCache | None = PrefixCache(base, scratch)
        self._budget = Budget(token_budget(base.device))
        self._writing = Budget(token_budget(base.device, by_token=True))
        self._trials: dict[str, Trial] = {}
        self.predicting: dict[str, float] = {}

    def attach(
        self,
        slot: str,
        recipe: Recipe,
        train: Sequence[Document],
        dev: Sequence[Document],
        state: bytes | None = None,
    ) -> None:
        """Open a slot, fresh or from what :meth:`state` gave."""
        peft = self._adapter(recipe)
        opened = open_slot(self._base, self._method, recipe, train, dev, trainable(peft))
        if state is not None:
            unpack_state(opened, state)
        dropouts = [
            m for n, m in peft.named_modules() if "lora_dropout." in n and isinstance(m, nn.Dropout)
        ]
        self._trials[slot] = Trial(opened, peft.get_base_model(), dropouts)

    def _adapter(self, recipe: Recipe) -> Any:
        return fresh_adapter(self._base, self._task, recipe)

    def advance(self, slot: str) -> Evaluation:
        """Train to the next evaluation, score dev, and return that point."""
        trial = self._trials[slot]
        mine, began = trial.slot, time.perf_counter()
        stop = mine.next_stop()
        if mine.layer and self._cache is not None:
            dev = [] if self._method.by_token else mine.dev_windows
            self._cache.warm([*mine.windows, *dev], mine.layer)
        losses = [self._step(trial) for _ in range(stop - mine.progress.step)]
        if losses:
            mine.progress.train_loss = math.fsum(losses) / len(losses)
        found = self._read(trial, mine.dev, mine.dev_windows, exact=False)
        mine.progress.seconds += time.perf_counter() - began
        return close_evaluation(mine, self._task, found)

    def _read(
        self,
        trial: Trial,
        documents: Sequence[Document],
        windows: Sequence[Window],
        *,
        exact: bool,
    ) -> Found:
        by_token = self._method.by_token
        budget = self._writing if by_token else self._budget
        while True:
            try:
                readings: list[Any] = read_windows(
                    trial.model,
                    self._base,
                    windows,
                    self._method.read,
                    layer=trial.slot.layer,
                    cache=self._cache,
                    exact=exact,
                    by_token=by_token,
                    tokens=_tokens(budget, trial, windows),
                )
            except Exception as error:
                if not budget.answers(error):
                    raise
            else:
                return self._method.decode(documents, windows, readings)

    def _step(self, trial: Trial) -> float:
        """One optimiser step; gives its loss, the mean over the step's windows or tokens."""
        mine = trial.slot
        windows = mine.next_batch()
        for dropout in trial.dropouts:
            dropout.train()
        loss = self._backward(trial, windows)
        for dropout in trial.dropouts:
            dropout.eval()
        if not math.isfinite(loss):
            raise TrialError(f"the loss is not finite at step {mine.progress.step + 1}")
        mine.update(windows)
        return loss

    def _backward(self, trial: Trial, windows: Sequence[Window]) -> float:
        """Leave the gradients of a step's loss, and give it; in more passes where memory ends."""
        mine = trial.slot
        while True:
            try:
                with seeded(self._base.device, mine.recipe.seed, mine.progress.step):
                    return self._in_passes(trial, windows)
            except Exception as error:
                mine.optimizer.zero_grad(set_to_none=True)
                if not self._budget.answers(error):
                    raise

    def _in_passes(self, trial: Trial, windows: Sequence[Window]) -> float:
        count, loss = self._method.count(windows), 0.0
        for batch in by_length(windows, _tokens(self._budget, trial, windows)):
            part = self._loss(trial, [windows[i] for i in batch], count)
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
        return loss

    def _loss(self, trial: Trial, rows: Sequence[Window], count: int) -> Tensor:
        """What some of a step's windows add to its loss; ``count`` is the whole step's."""
        mine = trial.slot
        adapted = trial.model.get_submodule(self._base.targets.stack)[mine.layer :]
        lean = mine.recipe.gradient_checkpointing or self._lean
        with (
            from_layer(trial.model, self._base, rows, mine.layer, self._cache),
            checkpointed(adapted if lean else ()),
            autocast(self._base.device),
        ):
            logits = at_least_float(self._method.logits(trial.model, rows))
        return self._method.loss(logits, rows, mine.weights, count)

    def state(self, slot: str) -> bytes:
        """Everything needed to go on elsewhere."""
        return pack_state(self._trials[slot].slot)

    def predict(self, slot: str, documents: Sequence[Document]) -> list[Prediction]:
        """Predict with the best adapter so far, in the order of ``documents``."""
        trial, began = self._trials[slot], time.perf_counter()
        mine = trial.slot
        windows = self._method.encode(documents, mine.recipe.max_length, to_learn=False)
        with mine.at_its_best():
            found = self._read(trial, documents, windows, exact=True).predictions
        self.predicting[slot] = time.perf_counter() - began
        return found

    def save(self, slot: str, folder: Path) -> None:
        """Write the best adapter so far as a plain PEFT folder."""
        self._trials[slot].slot.save(self._base, self._task, folder)

    def detach(self, slot: str) -> None:
        """Forget a slot; unknown slots are ignored."""
        self._trials.pop(slot, None)
        self.predicting.pop(slot, None)


def _tokens(budget: Budget, trial: Trial, windows: Sequence[Window]) -> int:
    """How many, padding included, go through the model at once."""
    return budget.tokens(trial.slot.layer, max((len(w.ids) for w in windows), default=0))
