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
from medsweep.models.precision import at_least_float, autocast
from medsweep.tasks import Task
from medsweep.tasks.prediction import Prediction
from medsweep.training.adapter import fresh_adapter, seeded, trainable
from medsweep.training.batches import by_length
from medsweep.training.checkpointing import checkpointed
from medsweep.training.encode import Window
from medsweep.training.engines.train_state import (
    TrainState,
    dump_state,
    load_state,
    new_state,
    score_dev,
)
from medsweep.training.forward import from_layer, read_windows, token_budget
from medsweep.training.memory import TokenBudget
from medsweep.training.methods import PredictionOutput, make_method
from medsweep.training.prefix import PrefixCache
from medsweep.training.recipe import Evaluation, Recipe, TrialError


@dataclass(slots=True)
class SoloSlot:
    """The base with one trial's adapter in it, its modules named as the base's."""

    state: TrainState
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

    # Whether layers are computed again in the backward pass, whatever the recipe says.
    _checkpointing = False

    def __init__(self, base: Base, task: Task, *, scratch: Path | None = None) -> None:
        self._base, self._task = base, task
        self._method = make_method(base, task)
        self._cache: PrefixCache | None = PrefixCache(base, scratch)
        self._budget = TokenBudget(token_budget(base.device))
        self._writing = TokenBudget(token_budget(base.device, by_token=True))
        self._slots: dict[str, SoloSlot] = {}
        self.predicting: dict[str, float] = {}

    def attach(
        self,
        trial: str,
        recipe: Recipe,
        train: Sequence[Document],
        dev: Sequence[Document],
        saved: bytes | None = None,
    ) -> None:
        """Open a slot, fresh or from what :meth:`state` gave."""
        peft = self._adapter(recipe)
        state = new_state(self._base, self._method, recipe, train, dev, trainable(peft))
        if saved is not None:
            load_state(state, saved)
        if self._cache is not None:
            state.layer = self._cache.entry(state.windows, state.layer)
        dropouts = [
            m for n, m in peft.named_modules() if "lora_dropout." in n and isinstance(m, nn.Dropout)
        ]
        self._slots[trial] = SoloSlot(state, peft.get_base_model(), dropouts)

    def _adapter(self, recipe: Recipe) -> Any:
        return fresh_adapter(self._base, self._task, recipe)

    def advance(self, trial: str) -> Evaluation:
        """Train to the next evaluation, score dev, and return that point."""
        slot = self._slots[trial]
        state, began = slot.state, time.perf_counter()
        stop = state.next_evaluation()
        if state.layer and self._cache is not None:
            dev = [] if self._method.by_token else state.dev_windows
            self._cache.warm([*state.windows, *dev], state.layer)
        losses = [self._step(slot) for _ in range(stop - state.progress.step)]
        if losses:
            state.progress.train_loss = math.fsum(losses) / len(losses)
        output = self._read(slot, state.dev, state.dev_windows, exact=False)
        state.progress.seconds += time.perf_counter() - began
        return score_dev(state, self._task, output)

    def _read(
        self,
        slot: SoloSlot,
        documents: Sequence[Document],
        windows: Sequence[Window],
        *,
        exact: bool,
    ) -> PredictionOutput:
        by_token = self._method.by_token
        budget = self._writing if by_token else self._budget
        while True:
            try:
                readings: list[Any] = read_windows(
                    slot.model,
                    self._base,
                    windows,
                    self._method.read,
                    layer=slot.state.layer,
                    cache=self._cache,
                    exact=exact,
                    by_token=by_token,
                    tokens=_tokens(budget, slot, windows),
                )
            except Exception as error:
                if not budget.recover(error):
                    raise
            else:
                return self._method.decode(documents, windows, readings)

    def _step(self, slot: SoloSlot) -> float:
        """One optimiser step; gives its loss, the mean over the step's windows or tokens."""
        state = slot.state
        windows = state.next_batch()
        for dropout in slot.dropouts:
            dropout.train()
        loss = self._backward(slot, windows)
        for dropout in slot.dropouts:
            dropout.eval()
        if not math.isfinite(loss):
            raise TrialError(f"the loss is not finite at step {state.progress.step + 1}")
        state.update(windows)
        return loss

    def _backward(self, slot: SoloSlot, windows: Sequence[Window]) -> float:
        """Leave the gradients of a step's loss, and give it; in more passes where memory ends."""
        state = slot.state
        while True:
            try:
                with seeded(self._base.device, state.recipe.seed, state.progress.step):
                    return self._in_passes(slot, windows)
            except Exception as error:
                state.optimizer.zero_grad(set_to_none=True)
                if not self._budget.recover(error):
                    raise

    def _in_passes(self, slot: SoloSlot, windows: Sequence[Window]) -> float:
        count, loss = self._method.count(windows), 0.0
        for batch in by_length(windows, _tokens(self._budget, slot, windows)):
            part = self._loss(slot, [windows[i] for i in batch], count)
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
        return loss

    def _loss(self, slot: SoloSlot, rows: Sequence[Window], count: int) -> Tensor:
        """What some of a step's windows add to its loss; ``count`` is the whole step's."""
        state = slot.state
        adapted = slot.model.get_submodule(self._base.targets.stack)[state.layer :]
        checkpointing = state.recipe.gradient_checkpointing or self._checkpointing
        with (
            from_layer(slot.model, self._base, rows, state.layer, self._cache),
            checkpointed(adapted if checkpointing else ()),
            autocast(self._base.device),
        ):
            logits = at_least_float(self._method.logits(slot.model, rows))
        return self._method.loss(logits, rows, state.weights, count)

    def state(self, trial: str) -> bytes:
        """Everything needed to go on elsewhere."""
        return dump_state(self._slots[trial].state)

    def predict(self, trial: str, documents: Sequence[Document]) -> list[Prediction]:
        """Predict with the best adapter so far, in the order of ``documents``."""
        slot, began = self._slots[trial], time.perf_counter()
        state = slot.state
        windows = self._method.encode(documents, state.recipe.max_length, for_training=False)
        with state.best_weights():
            predictions = self._read(slot, documents, windows, exact=True).predictions
        self.predicting[trial] = time.perf_counter() - began
        return predictions

    def save(self, trial: str, folder: Path) -> None:
        """Write the best adapter so far as a plain PEFT folder."""
        self._slots[trial].state.save(self._base, self._task, folder)

    def detach(self, trial: str) -> None:
        """Close a trial's slot; unknown trials are ignored."""
        self._slots.pop(trial, None)
        self.predicting.pop(trial, None)


def _tokens(budget: TokenBudget, slot: SoloSlot, windows: Sequence[Window]) -> int:
    """How many, padding included, go through the model at once."""
    return budget.tokens(slot.state.layer, max((len(w.ids) for w in windows), default=0))
