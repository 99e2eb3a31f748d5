"""Where trials can still change the verdict: the strategy ``frontier``.

A pure function of what dev has shown so far. Models are taken from the smallest up; within a model
the sizes are bisected for the smallest that may still match, and what lies above it is trained, so
that the verdict's sequence from the largest size down stays whole. A cell is given up when its
*predictive power* falls below ``HOPELESS``: the chance, seen from dev, that the test set will call
it a match (Spiegelhalter, Freedman and Blackburn, Controlled Clinical Trials 7 (1986) 8–17). Once a
model is as good as sure to match with n labels, larger models are tried with fewer than n only.

Of the test set only its number of documents is used, which is known before anything is trained.
A prototype that ``strategy.py`` measures: sweeps do not follow it yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import numpy as np
from scipy import integrate, special, stats

from medsweep.stats.variance import least_variance

Rung = tuple[str, int]
Stage = Literal["searching", "confirming", "confirmed", "failed"]

# Chances of a match on the test set at which a cell is given up, and at which it is relied on.
HOPELESS, SURE = 0.05, 0.9
ENOUGH = 0.9
# Search trials after which a cell that is not given up counts as one that may match.
LOOKS = 2
# Variance between draws, and between recipes, before the sweep has shown its own; the former is
# worth so many degrees of freedom.
DRAW_SD, DRAW_DF, RECIPE_SD = 0.03, 4, 0.03
# Share of the grid's cost that is spent on its cheapest cells before anything else.
PILOT = 0.05


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known before anything is trained.

    Attributes:
        chains: candidate models from the smallest up, each with its training sizes, ascending.
        kept: cells that are trained whatever dev says: a tuned reference.
        margin: largest loss that still counts as a match.
        alpha: one-sided family-wise level.
        draws: of every candidate cell.
        reference_draws: 1 for a reference that is not trained.
        dev: dev documents (or groups).
        test: test documents (or groups).
    """

    chains: tuple[tuple[str, tuple[int, ...]], ...]
    kept: frozenset[Rung]
    margin: float
    alpha: float
    draws: int
    reference_draws: int
    dev: int
    test: int


@dataclass(frozen=True, slots=True)
class Look:
    """What dev has shown of one cell.

    Attributes:
        stage: how far the cell is.
        ended: search trials that have ended.
        budget: search trials it may have.
        diff: best trial less reference on the dev documents, the mean over draws once confirmed;
            None where either has no dev predictions.
        variance: of ``diff`` over documents.
        spread: standard deviation between the scores of its trials; None with fewer than two.
        scores: the dev score of each confirmed draw.
    """

    stage: Stage
    ended: int
    budget: int
    diff: float | None = None
    variance: float = 0.0
    spread: float | None = None
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """What follows.

    Attributes:
        open: cells whose search may go on now.
        enough: cells whose best recipe so far is as good as sure to match: no more search.
        drops: cells given up now, each with its reason.
    """

    open: tuple[Rung, ...] = ()
    enough: tuple[Rung, ...] = ()
    drops: Mapping[Rung, str] = field(default_factory=dict)


def survey(ground: Ground, looks: Mapping[Rung, Look], dropped: Sequence[Rung] = ()) -> Survey:
    """Which cells go on and which are given up, once the reference is there.

    Args:
        ground: what is fixed.
        looks: by cell, those that have been begun.
        dropped: cells given up before.
    """
    found = _survey(ground, looks, dropped)
    draws, level = _draws(looks), ground.alpha / len(ground.chains)
    enough = tuple(
        r
        for r in found.open
        if r in looks
        and looks[r].ended >= LOOKS
        and looks[r].diff is not None
        and chance(ground, looks[r], draws, level, gain=False) >= ENOUGH
    )
    return Survey(tuple(r for r in found.open if r not in enough), enough, found.drops)


def _survey(ground: Ground, looks: Mapping[Rung, Look], dropped: Sequence[Rung]) -> Survey:
    pilot = [r for r in ground.kept if _stage(looks, r) in ("fresh", "searching", "confirming")]
    if pilot:
        return Survey(tuple(r for r in sorted(pilot) if _stage(looks, r) != "confirming"))
    gone, drops = set(dropped), dict[Rung, str]()
    draws = _draws(looks)
    fewest: tuple[str, int] | None = None
    for model, sizes in ground.chains:
        sure = _sure(ground, model, sizes, looks, draws)
        found = _needless_sizes(model, sizes, sure, fewest)
        found |= _hopeless_sizes(ground, model, sizes, looks, draws)
        drops |= {
            r: why
            for r, why in found.items()
            if r not in gone and _stage(looks, r) in ("fresh", "searching")
        }
        gone |= drops.keys()
        going_on = _next(model, [s for s in sizes if (model, s) not in gone], looks)
        if going_on is not None:
            return Survey(going_on, drops=drops)
        if sure is not None and (fewest is None or sure < fewest[1]):
            fewest = model, sure
    return Survey(drops=drops)


def pilot(costs: Mapping[Rung, float]) -> frozenset[Rung]:
    """The cheapest cells, up to ``PILOT`` of the grid's cost.

    They are trained whatever dev shows: their draws tell how much draws differ, which the error
    of every other cell's score rests on.
    """
    budget, chosen = PILOT * sum(costs.values()), set[Rung]()
    for rung in sorted(costs, key=lambda r: (costs[r], r)):
        budget -= costs[rung]
        if budget < 0:
            break
        chosen.add(rung)
    return frozenset(chosen)


def _stage(looks: Mapping[Rung, Look], rung: Rung) -> Stage | Literal["fresh"]:
    return looks[rung].stage if rung in looks else "fresh"


def _hopeless_sizes(
    ground: Ground,
    model: str,
    sizes: Sequence[int],
    looks: Mapping[Rung, Look],
    draws: tuple[float, float],
) -> dict[Rung, str]:
    """The cells of a model that dev rules out: a size, and with it all that are smaller."""
    for size in reversed(sizes):
        look = looks.get((model, size))
        if look is not None and _hopeless(ground, look, draws):
            below = f"n={size} already falls short on dev"
            return {
                **{(model, s): below for s in sizes if s < size},
                (model, size): f"{look.diff:+.3f} against the reference on dev",
            }
    return {}


def _needless_sizes(
    model: str, sizes: Sequence[int], sure: int | None, fewest: tuple[str, int] | None
) -> dict[Rung, str]:
    """The cells of a model that would change nothing: a smaller cell is as good as sure."""
    found = {}
    inner = [s for s in sizes[:-1] if sure is not None and s > sure]
    found |= {(model, s): f"n={sure} holds on dev" for s in inner}
    if fewest is not None:
        beyond = [s for s in sizes if s >= fewest[1]]
        found |= {(model, s): f"{fewest[0]} with n={fewest[1]} holds on dev" for s in beyond}
    return found


def _next(model: str, left: Sequence[int], looks: Mapping[Rung, Look]) -> tuple[Rung, ...] | None:
    """The cells of a model to go on with; none while one is confirmed; None where all is done.

    First the largest size, which the verdict's sequence begins with; then bisection for the
    smallest that may match; then from there up. What holds for sure ends the climb.
    """
    if not left:
        return None
    may = [s for s in left if (model, s) in looks and _looked(looks[model, s])]
    if left[-1] not in may:
        return ((model, left[-1]),)
    below = [s for s in left if s < may[0]]
    if below:
        begun = [s for s in below if (model, s) in looks]
        return ((model, begun[0] if begun else below[len(below) // 2]),)
    undone = [s for s in left if _stage(looks, (model, s)) not in ("confirmed", "failed")]
    if not undone:
        return None
    wanted = dict.fromkeys((undone[0], left[-1]))
    return tuple((model, s) for s in wanted if _stage(looks, (model, s)) in ("fresh", "searching"))


def _looked(look: Look) -> bool:
    return look.stage != "searching" or look.ended >= min(LOOKS, look.budget)


def _sure(
    ground: Ground,
    model: str,
    sizes: Sequence[int],
    looks: Mapping[Rung, Look],
    draws: tuple[float, float],
) -> int | None:
    """The fewest documents with which the model is as good as sure to match."""
    level = ground.alpha / len(ground.chains)
    fewest = None
    for size in reversed(sizes):
        look = looks.get((model, size))
        if look is None or look.stage != "confirmed" or look.diff is None:
            continue
        if chance(ground, look, draws, level) < SURE:
            break
        fewest = size
    return fewest


def _hopeless(ground: Ground, look: Look, draws: tuple[float, float]) -> bool:
    if look.diff is None or look.stage in ("confirming", "failed"):
        return False
    # Holm's best case: every other model has matched.
    return chance(ground, look, draws, ground.alpha) < HOPELESS


def chance(
    ground: Ground, look: Look, draws: tuple[float, float], level: float, *, gain: bool = True
) -> float:
    """The chance that the test set will show a match at ``level``, as dev sees it.

    The true difference is normal around what dev shows, the test set's around the true one. What
    the rest of a search may add is allowed for: the expected rise of the best of ``ended`` to the
    best of ``budget`` normal scores.
    """
    assert look.diff is not None
    (variance, df), k, j = draws, ground.draws, max(1, len(look.scores))
    documents = max(look.variance, least_variance(ground.margin, ground.dev))
    test = documents * ground.dev / ground.test
    between = variance if k > 1 else 0.0
    shared = between / k + (between / ground.reference_draws if ground.reference_draws > 1 else 0)
    z, t = special.ndtri(1 - level), special.stdtrit(df, 1 - level)
    width = np.sqrt(z**2 * test + t**2 * shared)
    error = np.sqrt(documents + test + between * max(0.0, 1 / j - 1 / k))
    rise = _still_to_gain(look) if gain else 0.0
    return float(special.ndtr((look.diff + rise + ground.margin - width) / error))


def _still_to_gain(look: Look) -> float:
    if look.stage != "searching":
        return 0.0
    spread = RECIPE_SD if look.spread is None else look.spread
    return max(0.0, _best_of(look.budget) - _best_of(max(1, look.ended))) * spread


@cache
def _best_of(n: int) -> float:
    """Expected maximum of n standard normal values."""
    x = np.linspace(-9, 9, 2001)
    density = n * stats.norm.pdf(x) * special.ndtr(x) ** (n - 1)
    return float(integrate.trapezoid(x * density, x))


def _draws(looks: Mapping[Rung, Look]) -> tuple[float, float]:
    """Variance between draws and its degrees of freedom: assumed, and what confirmed cells show."""
    total, df = DRAW_DF * DRAW_SD**2, float(DRAW_DF)
    for look in looks.values():
        if look.stage == "confirmed" and len(look.scores) > 1:
            total += float(np.var(look.scores, ddof=1)) * (len(look.scores) - 1)
            df += len(look.scores) - 1
    return total / df, df
