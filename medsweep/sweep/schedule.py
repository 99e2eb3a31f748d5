"""How many steps a sweep has, and how far it is: known from the plan and the journal.

A step is one evaluation on dev with the training before it, or one prediction of the test
documents. Steps cost very different times, so each has a weight to tell the time left by:
parameters that multiply, times documents.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from medsweep.models.size import shape_of
from medsweep.record.records import Records, TrialRecord
from medsweep.record.trial import Cell, CellKey
from medsweep.training.recipe import Recipe

if TYPE_CHECKING:
    from medsweep.config import ArmConfig
    from medsweep.plan.plan import Plan

# A document that is learnt from goes forwards and backwards.
LEARNING = 3


@dataclass(frozen=True, slots=True)
class CellSteps:
    """Of one cell: search trials, draws, and what an evaluation and a prediction weigh."""

    model: str
    size: int
    fold: int
    trials: int
    draws: int
    evaluation: float
    prediction: float

    @property
    def cell(self) -> Cell:
        """Which cell."""
        return Cell(self.model, self.size, self.fold)


@dataclass(frozen=True, slots=True)
class ArmSteps:
    """Of another arm: how often it predicts, and what one prediction weighs."""

    predictions: int
    prediction: float


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a sweep is.

    Attributes:
        done, total: steps.
        spent, weight: what those weigh that are done, and all.
        cells_done, cells: cells confirmed on all of their draws, and all.
    """

    done: int
    total: int
    spent: float
    weight: float
    cells_done: int
    cells: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The steps of a sweep, before its first.

    Attributes:
        evaluations: of a trial that is not stopped.
        cells: what each cell takes.
        arms: what each other arm takes.
        frontier: whether cells may be given up, so that ``total`` is the most there can be.
    """

    evaluations: int
    cells: tuple[CellSteps, ...]
    arms: tuple[ArmSteps, ...]
    frontier: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for the journal."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Schedule:
        """The inverse of :meth:`to_dict`."""
        return cls(
            values["evaluations"],
            tuple(CellSteps(**cell) for cell in values["cells"]),
            tuple(ArmSteps(**arm) for arm in values["arms"]),
            values["frontier"],
        )

    def tally(
        self,
        records: Records,
        given_up: Collection[CellKey] = (),
        until: float = float("inf"),
    ) -> Tally:
        """How far the sweep was at a time (seconds since the epoch) [now].

        A trial that has ended has done all of its steps, stopped early or not.
        """
        done = total = cells_done = 0
        spent = weight = 0.0
        for steps in self.cells:
            search = records.of(steps.cell, "search")
            confirm = {r.trial.draw: r for r in records.of(steps.cell, "confirm")}
            passed = (steps.model, steps.size) in given_up
            trials, draws = (len(search), len(confirm)) if passed else (steps.trials, steps.draws)
            evaluated = sum(self._evaluated(r, until) for r in search)
            # The confirmation of draw 0 adopts the search's winner.
            evaluated += sum(self._evaluated(r, until) for d, r in confirm.items() if d)
            predicted = sum(_ended(r, until) for r in confirm.values())
            planned = self.evaluations * (trials + max(0, draws - 1))
            cells_done += passed or predicted >= draws
            done, total = done + evaluated + predicted, total + planned + draws
            spent += evaluated * steps.evaluation + predicted * steps.prediction
            weight += planned * steps.evaluation + draws * steps.prediction
        ended = {r.trial.arm for r in records.by_name.values() if _ended(r, until)}
        for number, arm in enumerate(self.arms):
            over = number in ended
            done, total = done + over * arm.predictions, total + arm.predictions
            spent += over * arm.predictions * arm.prediction
            weight += arm.predictions * arm.prediction
        return Tally(done, total, spent, weight, cells_done, len(self.cells))

    def _evaluated(self, record: TrialRecord, until: float) -> int:
        if _ended(record, until):
            return self.evaluations
        return min(self.evaluations, sum(time <= until for time in record.times))


def _ended(record: TrialRecord, until: float) -> bool:
    return record.ended is not None and record.ended <= until


def make_schedule(plan: Plan) -> Schedule:
    """The steps that a plan makes."""
    work, sweep = plan.workload, plan.sweep
    recipe = Recipe(**sweep.training.model_dump(exclude_none=True))
    # Without embeddings, which cost nothing and are most of a small multilingual model.
    weights = {name: shape_of(folder).weights / 1e6 for name, folder in plan.folders.items()}
    slugs = {model.id: name for name, model in work.models.items()}
    cells = []
    for cell, trials in plan.budgets.items():
        fold, epochs = work.folds[cell.fold], plan.search_of(cell).epochs
        learnt = max(cell.size * epochs, recipe.min_steps * recipe.batch_size)
        documents = LEARNING * learnt / recipe.evaluations + len(fold.dev)
        cells.append(
            CellSteps(
                cell.model,
                cell.size,
                cell.fold,
                trials,
                plan.draws_of(cell),
                round(weights[cell.model] * documents, 3),
                round(weights[cell.model] * len(fold.test), 3),
            )
        )
    tested = sum(len(fold.test) for fold in work.folds) / len(work.folds)
    arms = []
    for arm in work.arms:
        repeated = len(work.sizes) * work.draws if _learns(arm, work.kind) else 1
        predictions = len(work.folds) * repeated
        weight = weights[slugs[arm.model.id]] if arm.model else 0.0
        arms.append(ArmSteps(predictions, round(weight * tested, 3)))
    return Schedule(recipe.evaluations, tuple(cells), tuple(arms), sweep.strategy == "frontier")


def _learns(arm: ArmConfig, kind: str) -> bool:
    """Whether an arm predicts anew for every size and draw."""
    if arm.arm == "majority":
        return kind != "ner"
    shown = arm.arm == "endpoint" and arm.options.get("k", 0) > 0
    return shown or arm.arm in ("dictionary", "tfidf", "probe", "few_shot")
