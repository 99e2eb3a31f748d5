"""Early stopping within a cell: Ray's ASHA, one instance a cell.

One bracket over all cells would stop small models and small sizes first, which is the very
comparison that a sweep is run for.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from medsweep.config import EarlyStoppingConfig
from medsweep.record.trial import Cell


class CellHalving:
    """Decides after each dev evaluation whether a trial goes on.

    Halving levels count evaluations, of which every trial has the same number whatever its
    training size: a level is a share of the trial's own budget.
    """

    def __init__(self, early_stopping: EarlyStoppingConfig | None, evaluations: int) -> None:
        self._config, self._evaluations = early_stopping, evaluations
        self._cells: dict[Cell, AsyncHyperBandScheduler] = {}
        self._seen: dict[str, Any] = {}

    def goes_on(self, cell: Cell, trial: str, iteration: int, score: float) -> bool:
        """TrialRecord a score and decide. Replaying old results in order rebuilds every level."""
        if self._config is None or iteration >= self._evaluations:
            return True
        asha = self._cells.get(cell) or self._open(cell)
        if trial not in self._seen:
            # As much of a Tune trial as ASHA looks at, so that old results can be replayed.
            self._seen[trial] = SimpleNamespace(trial_id=trial)
            asha.on_trial_add(cast("Any", None), self._seen[trial])
        result: dict[str, Any] = {"iteration": iteration, "score": score}
        decision = asha.on_trial_result(cast("Any", None), self._seen[trial], result)
        return bool(decision == TrialScheduler.CONTINUE)

    def _open(self, cell: Cell) -> AsyncHyperBandScheduler:
        assert self._config is not None
        asha = self._cells[cell] = AsyncHyperBandScheduler(
            time_attr="iteration",
            metric="score",
            mode="max",
            max_t=self._evaluations,
            grace_period=max(1, round(self._config.grace * self._evaluations)),
            reduction_factor=self._config.reduction_factor,
        )
        return asha
