"""What the test set of a plan can decide, by simulating the very decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medsweep.plan.plan import Plan
from medsweep.stats.planned import PlannedPower, Study, simulate_power

# Share of documents that exactly one of two systems has right.
DISCORDANCES = (0.05, 0.1, 0.2)
# What is taken for granted: share of gold that systems find, and the standard deviation of the
# score between draws.
RECALL, DRAW_SD = 0.8, 0.02
# More than two models beside a candidate tell little more of how much draws differ.
MOST_MODELS = 3
# Seconds for a discordance, and what a simulated study takes of them on an old core.
_SECONDS, _STUDY, _ANSWER = 0.6, 3.5e-3, 3e-7
_FEWEST, _MOST = 20, 100


@dataclass(frozen=True, slots=True)
class Promise:
    """Power of a plan.

    Attributes:
        study: what was simulated.
        by_discordance: by share of documents on which two systems disagree.
        studies: simulated ones for each.
    """

    study: Study
    by_discordance: dict[float, PlannedPower]
    studies: int


def promise_power(plan: Plan) -> Promise | None:
    """Power for the plan's metric, gold, groups, sizes, draws, models and correction.

    None where there is no candidate. The same plan promises the same.
    """
    study = study_of(plan)
    if study is None:
        return None
    rows = min(study.models, MOST_MODELS) * len(study.sizes) * study.draws
    work = (rows + study.reference_draws) * len(study.gold)
    studies = int(np.clip(_SECONDS / (_STUDY + _ANSWER * work), _FEWEST, _MOST))
    found = {
        share: simulate_power(
            study, recall=RECALL, discordance=share, draw_sd=DRAW_SD, studies=studies
        )
        for share in DISCORDANCES
    }
    return Promise(study, found, studies)


def study_of(plan: Plan) -> Study | None:
    """The plan as what is simulated; None where there is no candidate."""
    sweep, work = plan.sweep, plan.workload
    reference = {c.key for c in plan.reference_cells}
    candidates = {c.key for c in plan.cells} - reference
    if not candidates:
        return None
    models = len({model for model, _ in candidates})
    others = [a for a in work.arms if a.arm != "majority"]
    if plan.reference["arm"] != "finetuned":
        others = others[1:] if work.arms[0].arm != "majority" else others
    return Study(
        task=work.kind,
        metric=work.metric,
        gold=tuple(plan.gold.values()),
        groups=_groups(plan),
        sizes=tuple(sorted({size for _, size in candidates})),
        draws=sweep.draws,
        models=min(models, MOST_MODELS),
        others=models
        - min(models, MOST_MODELS)
        + (len(others) if sweep.decide.systems == "all" else 0),
        reference_draws=plan.reference_draws,
        pool=min(fold.pool for fold in work.folds),
        margin=sweep.decide.margin,
        alpha=sweep.decide.alpha,
    )


def _groups(plan: Plan) -> NDArray[np.intp] | None:
    """Group numbers of the test documents; one without a group is one of its own."""
    if not plan.groups:
        return None
    numbers: dict[tuple[str, bool], int] = {}
    named = [(plan.groups.get(i, i), i in plan.groups) for i in plan.gold]
    return np.array([numbers.setdefault(name, len(numbers)) for name in named], dtype=np.intp)
