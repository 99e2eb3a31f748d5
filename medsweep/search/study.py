"""The search of one cell: an Optuna study that is told the truth."""

from __future__ import annotations

import math
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
)
from optuna.trial import TrialState, create_trial

from medsweep.config import Range, SearchConfig, TrainingConfig
from medsweep.record.records import TrialRecord
from medsweep.record.trial import Cell, derive_seed
from medsweep.search.depth import Observation, climb
from medsweep.training.recipe import Recipe

STATES = {
    "finished": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


class CellStudy:
    """Proposes recipes for one cell.

    A proposal depends on the sweep's seed, the cell, the trial's number and the trials of this
    cell that have ended, and on nothing else; so a resumed search goes on as an undisturbed one.
    The first proposal is the middle of the space: one sensible trial before any exploring.

    Args:
        cell: which cell is searched.
        search: the space.
        training: what every trial shares.
        seed: the sweep's.
        dev: documents that a score is of.
    """

    def __init__(
        self, cell: Cell, search: SearchConfig, training: TrainingConfig, seed: int, dev: int
    ) -> None:
        self._cell, self._search, self._training, self._seed = cell, search, training, seed
        self._dev = dev
        self._ended: list[Observation] = []
        self._space = distributions(search)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        # One study throughout, because filling a new one for each proposal costs ever more.
        # Proposals whose trials have not ended are in it as failed ones, which TPE ignores; so
        # a resumed sweep, which does not know of them, proposes the same.
        self._study = optuna.create_study(direction="maximize")

    def propose(self, number: int) -> tuple[dict[str, Any], Recipe]:
        """The parameters of trial ``number``, and the recipe they make."""
        depth, known = climb(self._search.top_layers, self._ended, self._dev)
        if number == 0:
            params = middle(self._search)
        elif known is not None:
            params = dict(known)
        else:
            # A new sampler has drawn nothing yet, whether or not the sweep was interrupted.
            self._study.sampler = optuna.samplers.TPESampler(
                seed=derive_seed(self._seed, "tpe", self._cell.name, number), n_startup_trials=4
            )
            asked = self._study.ask(self._space)
            params = dict(asked.params)
            self._study.tell(asked, state=TrialState.FAIL)
        params["top_layers"] = depth
        return params, recipe_of(
            params,
            self._search,
            self._training,
            seed=derive_seed(self._seed, "trial", self._cell.name, number),
        )

    def tell(self, record: TrialRecord) -> None:
        """Take an ended trial into account: finished, stopped (pruned) or failed."""
        state, params = STATES[record.status], dict(record.trial.params)
        self._ended.append(Observation(params, record.best or 0.0))
        values = {e["iteration"]: e["score"] for e in record.evaluations}
        if state is TrialState.PRUNED and not values:
            state = TrialState.FAIL
        self._study.add_trial(
            create_trial(
                state=state,
                params={name: params[name] for name in self._space},
                distributions=self._space,
                intermediate_values=values,
                value=record.best if state is not TrialState.FAIL else None,
            )
        )


def distributions(search: SearchConfig) -> dict[str, BaseDistribution]:
    """The space as Optuna's distributions, but for the depth, which is climbed."""
    rate = search.learning_rate
    space: dict[str, BaseDistribution] = {
        "rank": CategoricalDistribution(search.rank),
        "alpha_ratio": CategoricalDistribution(search.alpha_ratio),
        "dropout": CategoricalDistribution(search.dropout),
        "learning_rate": (
            FloatDistribution(rate.low, rate.high, log=rate.log)
            if isinstance(rate, Range)
            else CategoricalDistribution(rate)
        ),
    }
    return space


def middle(search: SearchConfig) -> dict[str, Any]:
    """The middle of the space: of a log range its geometric mean, of a list its middle trial."""
    rate = search.learning_rate
    if not isinstance(rate, Range):
        learning_rate = rate[len(rate) // 2]
    elif rate.log:
        learning_rate = math.sqrt(rate.low * rate.high)
    else:
        learning_rate = (rate.low + rate.high) / 2
    return {
        "rank": search.rank[len(search.rank) // 2],
        "alpha_ratio": search.alpha_ratio[len(search.alpha_ratio) // 2],
        "dropout": search.dropout[0],
        "learning_rate": learning_rate,
    }


def recipe_of(
    params: dict[str, Any], search: SearchConfig, training: TrainingConfig, *, seed: int
) -> Recipe:
    """Searched parameters and the sweep's fixed ones as one recipe."""
    return Recipe(
        rank=params["rank"],
        alpha=params["rank"] * params["alpha_ratio"],
        learning_rate=params["learning_rate"],
        top_layers=None if params["top_layers"] == "all" else params["top_layers"],
        dropout=params["dropout"],
        epochs=search.epochs,
        seed=seed,
        **training.model_dump(exclude_none=True),
    )
