"""Which cells can still change the verdict: the strategy ``frontier``.

A pure function of what dev has shown so far. Of the test set only its number of documents is used,
so that what is tested there is chosen on other documents.

*Cheap first.* Models are gone through from the smallest up, and of each its training sizes from the
smallest up, one cell at a time.

*Recipes are carried up.* Only a model's smallest size is searched with all trials. Each larger
size tries the best third of the recipes of the size below it: successive halving (Jamieson and
Talwalkar, AISTATS 2016) with the training set as the budget that grows.

*Hopeless* is a cell whose predictive power, the chance seen from dev that the test set will call it
a match, is small (Spiegelhalter, Freedman and Blackburn, Controlled Clinical Trials 7 (1986) 8–17).
It was searched and is not confirmed. Nothing is concluded for other sizes: more labels may hurt.
Confirmed all the same is each model's smallest size, whose draws tell cheaply how much draws
differ, which every bound rests on; and where nothing else is, the best of the rest, because a
verdict rests on the test set.

*Needless* is what could change neither answer once a confirmed cell is as good as sure to match:
the larger sizes of its model, and as many labels or more with a larger model. The reference's own
model is no answer to which small model matches, so that it makes no other one needless.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from medsweep.stats.variance import least_variance

# (model, training size): a cell in all of its folds.
Rung = tuple[str, int]
Stage = Literal["fresh", "searching", "tried", "confirming", "confirmed", "failed"]

# Predictive power below which a cell is given up, and from which it is relied on.
HOPELESS, SURE = 0.05, 0.9
# Share of a size's recipes that the next larger one takes over.
KEPT = 1 / 3
# Standard deviation between draws before the sweep has shown its own, and how many degrees of
# freedom that is worth.
DRAW_SD, DRAW_DF = 0.03, 4
# Of two independent systems' disagreement, what two systems show that find the same documents hard.
DISAGREEMENT = 0.6


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known before anything is trained.

    Attributes:
        chains: candidate models from the smallest up, each with its training sizes, ascending.
        margin: largest loss that still counts as a match.
        alpha: one-sided family-wise level.
        draws: of every candidate cell.
        reference: the reference's model, which is never the smallest that matches; "" for none.
        reference_draws: 1 for a reference that does not learn from the training documents.
        dev: dev documents (or groups).
        test: test documents (or groups).
        drops: whether cells may be given up. Not where the dev documents of one fold are test
            documents of another: what is tested would be chosen on what it is tested with.
    """

    chains: tuple[tuple[str, tuple[int, ...]], ...]
    margin: float
    alpha: float
    draws: int
    reference: str
    reference_draws: int
    dev: int
    test: int
    drops: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """What dev has shown of one cell.

    Attributes:
        stage: how far the cell is.
        score: of its best trial; once confirmed, the mean over the draws that had no part in
            choosing the recipe, where there are any.
        scores: of each confirmed draw.
    """

    stage: Stage
    score: float | None = None
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Draws:
    """How much the draws of a cell differ.

    Attributes:
        variance: of a score between draws: assumed, and what confirmed cells have shown.
        df: degrees of freedom of what they have shown.
    """

    variance: float
    df: int

    @classmethod
    def of(cls, looks: Mapping[Rung, Look]) -> Draws:
        """Pooled over cells."""
        shown = [x.scores for x in looks.values() if x.stage == "confirmed" and len(x.scores) > 1]
        squares = sum(float(np.var(s, ddof=1)) * (len(s) - 1) for s in shown)
        df = sum(len(s) - 1 for s in shown)
        return cls((DRAW_DF * DRAW_SD**2 + squares) / (DRAW_DF + df), df)


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Why a cell is passed over.

    Attributes:
        needless: another cell is as good as sure to match; else dev shows too little.
        reason: the same in words, with its numbers.
    """

    needless: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What follows.

    Attributes:
        rung: the cell to go on with; None where all are done or nothing can be said without the
            reference.
        given_up: cells that are passed over, as it looks now.
    """

    rung: Rung | None
    given_up: Mapping[Rung, GivenUp]


def survey(ground: Ground, reference: float | None, looks: Mapping[Rung, Look]) -> Survey:
    """Which cell goes on, and which are given up.

    Args:
        ground: what is fixed.
        reference: the reference's dev score; None until it is known.
        looks: by cell, those that have been begun.
    """
    draws = Draws.of(looks)
    given_up: dict[Rung, GivenUp] = {}
    power: dict[Rung, float] = {}
    fewest: Rung | None = None
    for model, sizes in ground.chains:
        sure = fewest
        for rung in ((model, size) for size in sizes):
            look = looks.get(rung, Look("fresh"))
            if look.stage == "fresh" and ground.drops and sure and rung[1] >= sure[1]:
                why = f"{sure[0]} with n={sure[1]} is as good as sure to match"
                given_up[rung] = GivenUp(True, why)
                continue
            if look.stage in ("fresh", "searching", "confirming"):
                return Survey(rung, given_up)
            if look.stage == "failed":
                continue
            if reference is None:
                return Survey(None, given_up)
            power[rung] = predictive_power(ground, reference, look, draws)
            if look.stage == "tried":
                if not ground.drops or rung[1] == sizes[0] or power[rung] >= HOPELESS:
                    return Survey(rung, given_up)
                gap = (look.score or 0.0) - reference
                given_up[rung] = GivenUp(False, f"{gap:+.3f} against the reference on dev")
            elif power[rung] >= SURE and (sure is None or rung[1] < sure[1]):
                sure = rung
        if model != ground.reference:
            fewest = sure
    smallest = {(model, sizes[0]) for model, sizes in ground.chains}
    if fewest is None and (rest := power.keys() - smallest) and rest <= given_up.keys():
        best = max(sorted(rest), key=lambda rung: power[rung])
        del given_up[best]
        return Survey(best, given_up)
    return Survey(None, given_up)


def predictive_power(ground: Ground, reference: float, look: Look, draws: Draws) -> float:
    """The chance that the test set will show a match, as dev sees it.

    The true difference is normal around what dev shows, the test set's around the true one. Scores
    vary as shares of right documents would. A cell that is not confirmed yet is judged by Holm's
    best case, so that less is given up; one that is to be relied on by its worst, and by no more
    degrees of freedom than the test would have now.

    Args:
        ground: what is fixed.
        reference: its dev score.
        look: the cell.
        draws: how much draws differ.
    """
    k, seen, score = ground.draws, max(1, len(look.scores)), look.score or 0.0
    relied_on = look.stage == "confirmed"
    level = ground.alpha / (len(ground.chains) if relied_on else 1)
    df = draws.df if relied_on else draws.df + DRAW_DF
    spread = score * (1 - score) + reference * (1 - reference)
    one = max(DISAGREEMENT * spread, least_variance(ground.margin, 1))
    between = draws.variance if k > 1 else 0.0
    shared = between / k + (between / ground.reference_draws if ground.reference_draws > 1 else 0)
    z, t = special.ndtri(1 - level), special.stdtrit(max(1, df), 1 - level)
    width = np.sqrt(z**2 * one / ground.test + t**2 * shared)
    error = np.sqrt(one / ground.dev + one / ground.test + between * max(0.0, 1 / seen - 1 / k))
    return float(special.ndtr((score - reference + ground.margin - width) / error))


def trials_at(trials: int, step: int) -> int:
    """Search trials of a model's size number ``step``, from 0."""
    for _ in range(step):
        trials = max(1, int(np.ceil(trials * KEPT)))
    return trials


def chains_of(
    rungs: Collection[Rung], parameters: Mapping[str, int]
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The models of ``rungs`` from the smallest up, each with its sizes, ascending."""
    models = sorted({m for m, _ in rungs}, key=lambda m: (parameters[m], m))
    return tuple((m, tuple(sorted(s for n, s in rungs if n == m))) for m in models)
