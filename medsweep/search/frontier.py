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

from medsweep.record.trial import CellKey
from medsweep.stats.variance import least_variance

Stage = Literal["fresh", "searching", "tried", "confirming", "confirmed", "failed"]

# Predictive power below which a cell is given up, and from which it is relied on.
HOPELESS, SURE = 0.05, 0.9
# Standard deviation between draws before the sweep has shown its own, and how many degrees of
# freedom that is worth.
DRAW_SD, DRAW_DF = 0.03, 4
# Of two independent systems' disagreement, what two systems show that find the same documents hard.
DISAGREEMENT = 0.6


@dataclass(frozen=True, slots=True)
class FrontierDesign:
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
class Interim:
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
class DrawVariance:
    """How much the draws of a cell differ.

    Attributes:
        variance: of a score between draws: assumed, and what confirmed cells have shown.
        df: degrees of freedom of what they have shown.
    """

    variance: float
    df: int

    @classmethod
    def of(cls, interims: Mapping[CellKey, Interim]) -> DrawVariance:
        """Pooled over cells."""
        shown = [
            x.scores for x in interims.values() if x.stage == "confirmed" and len(x.scores) > 1
        ]
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
class Continuation:
    """What follows.

    Attributes:
        cell: to go on with; None where all are done or nothing can be said without the
            reference.
        given_up: cells that are passed over, as it interims now.
    """

    cell: CellKey | None
    given_up: Mapping[CellKey, GivenUp]


def interim_analysis(
    design: FrontierDesign, reference: float | None, interims: Mapping[CellKey, Interim]
) -> Continuation:
    """Which cell goes on, and which are given up.

    Args:
        design: what is fixed.
        reference: the reference's dev score; None until it is known.
        interims: by cell, those that have been begun.
    """
    draws = DrawVariance.of(interims)
    given_up: dict[CellKey, GivenUp] = {}
    power: dict[CellKey, float] = {}
    fewest: CellKey | None = None
    for model, sizes in design.chains:
        sure = fewest
        for key in ((model, size) for size in sizes):
            interim = interims.get(key, Interim("fresh"))
            if interim.stage == "fresh" and design.drops and sure and key[1] >= sure[1]:
                why = f"{sure[0]} with n={sure[1]} is as good as sure to match"
                given_up[key] = GivenUp(True, why)
                continue
            if interim.stage in ("fresh", "searching", "confirming"):
                return Continuation(key, given_up)
            if interim.stage == "failed":
                continue
            if reference is None:
                return Continuation(None, given_up)
            power[key] = predictive_power(design, reference, interim, draws)
            if interim.stage == "tried":
                if not design.drops or key[1] == sizes[0] or power[key] >= HOPELESS:
                    return Continuation(key, given_up)
                gap = (interim.score or 0.0) - reference
                given_up[key] = GivenUp(False, f"{gap:+.3f} against the reference on dev")
            elif power[key] >= SURE and (sure is None or key[1] < sure[1]):
                sure = key
        if model != design.reference:
            fewest = sure
    smallest = {(model, sizes[0]) for model, sizes in design.chains}
    if fewest is None and (rest := power.keys() - smallest) and rest <= given_up.keys():
        best = max(sorted(rest), key=lambda key: power[key])
        del given_up[best]
        return Continuation(best, given_up)
    return Continuation(None, given_up)


def predictive_power(
    design: FrontierDesign, reference: float, interim: Interim, draws: DrawVariance
) -> float:
    """The chance that the test set will show a match, as dev sees it.

    The true difference is normal around what dev shows, the test set's around the true one. Scores
    vary as shares of right documents would. A cell that is not confirmed yet is judged by Holm's
    best case, so that less is given up; one that is to be relied on by its worst, and by no more
    degrees of freedom than the test would have now.

    Args:
        design: what is fixed.
        reference: its dev score.
        interim: the cell.
        draws: how much draws differ.
    """
    k, seen, score = design.draws, max(1, len(interim.scores)), interim.score or 0.0
    relied_on = interim.stage == "confirmed"
    level = design.alpha / (len(design.chains) if relied_on else 1)
    df = draws.df if relied_on else draws.df + DRAW_DF
    spread = score * (1 - score) + reference * (1 - reference)
    one = max(DISAGREEMENT * spread, least_variance(design.margin, 1))
    between = draws.variance if k > 1 else 0.0
    shared = between / k + (between / design.reference_draws if design.reference_draws > 1 else 0)
    z, t = special.ndtri(1 - level), special.stdtrit(max(1, df), 1 - level)
    width = np.sqrt(z**2 * one / design.test + t**2 * shared)
    error = np.sqrt(one / design.dev + one / design.test + between * max(0.0, 1 / seen - 1 / k))
    return float(special.ndtr((score - reference + design.margin - width) / error))


def chains_of(
    keys: Collection[CellKey], parameters: Mapping[str, int]
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The models of ``keys`` from the smallest up, each with its sizes, ascending."""
    models = sorted({m for m, _ in keys}, key=lambda m: (parameters[m], m))
    return tuple((m, tuple(sorted(s for n, s in keys if n == m))) for m in models)
