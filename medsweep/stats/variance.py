"""Where the uncertainty of a score comes from: the documents, and the draws.

A score is averaged over k draws that were predicted on the same documents. Its variance is

    common + between / k

``common`` is the variance over documents that all draws share: the bootstrap covariance of two
different draws. ``between`` is the variance of one draw around the others. The observed variance
between draws estimates it with k − 1 degrees of freedom, and already contains what documents add
to a single draw, so nothing is subtracted twice and nothing can turn negative.

With three draws two degrees of freedom are too few to be useful. Cells of one sweep therefore
share them (:func:`pool`). The bound adds the squared limits of the components,

    diff − sqrt(t_N² · common + t_f² · between / k)

which is exact when either component vanishes and conservative between (Howe, JASA 69 (1974)
789–794; Zou and Donner, Statistics in Medicine 27 (2008) 1693–1702). One t quantile with
Satterthwaite's degrees of freedom on the sum is up to 1.2 times too liberal with two degrees of
freedom; docs/statistics.md has both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Array = NDArray[np.float64]

# The variance between draws falls as the training set grows: roughly with a power of n between
# 0 and −1. A wide prior on that power keeps two or three cells from inventing a steep trend.
_SLOPE, _SLOPE_SD = -0.5, 0.5
# Cells differ from the trend: the standard deviation of the log variance around it. It keeps
# sixty cells from claiming to know the variance of one.
_SCATTER = 0.5
# In standard errors; no p-value is below its tail, 2e-33.
MOST_ERRORS = 12.0


@dataclass(frozen=True)
class DrawSpread:
    """How the draws of one cell differ.

    Attributes:
        draws: k.
        total: observed variance between draws; k − 1 degrees of freedom; 0 with one draw.
        documents: the part of it that documents alone explain, from the bootstrap.
    """

    draws: int
    total: float
    documents: float


def draw_spread(scores: Array, replicates: Array) -> DrawSpread:
    """The spread between draws.

    Args:
        scores: (draws,).
        replicates: (resamples, draws): the same scores on resampled documents.
    """
    if len(scores) < 2:
        return DrawSpread(len(scores), 0.0, 0.0)
    moved = replicates - scores
    return DrawSpread(
        len(scores), float(np.var(scores, ddof=1)), float(np.var(moved, axis=1, ddof=1).mean())
    )


def from_finite_pool(spread: DrawSpread, size: int, pool: int | None) -> DrawSpread:
    """The spread that draws of new labels would have, from draws that overlap.

    Of n documents drawn from a pool of N, two draws share n/N on average, so that their difference
    shows 1 − n/N of the variance (sampling without replacement; Cochran, Sampling Techniques, 1977,
    section 2.6). What documents of the test set add to it is not divided. With all of the pool
    only the seed is left, and the spread stays as it is.

    Args:
        spread: of the draws.
        size: n.
        pool: N; ``None`` for draws that do not overlap.
    """
    excess = max(spread.total - spread.documents, 0.0)
    return replace(spread, total=spread.total + excess * (1 / (1 - overlap(size, pool)) - 1))


def overlap(size: int, pool: int | None) -> float:
    """Share of its documents that a draw has in common with another one from the same pool.

    It is also the correlation of their scores, as far as these depend on which documents were
    drawn. With the whole pool it is 0: what is claimed then is about these very documents.
    """
    return size / pool if pool is not None and size < pool else 0.0


def pool(
    variance: Array,
    df: Array,
    size: Array,
    scatter: float = _SCATTER,
    lends: NDArray[np.bool_] | None = None,
) -> tuple[Array, Array]:
    """Share what the cells of one sweep know about the variance between draws.

    A trend ``log variance = a + b·log size`` is fitted to the *other* cells by maximum likelihood
    (gamma with log link, for a variance with df degrees of freedom), and joined with the cell's
    own variance by degrees of freedom. The trend's own uncertainty at the cell's size, and the
    scatter of cells around it, set how many degrees of freedom it is worth. This is the moderated
    variance of Smyth (Statistical Applications in Genetics 3 (2004) 3) with a trend.
    Args:
        variance: (..., cells): observed variances.
        df: (cells,): their degrees of freedom, 0 for a cell with one draw.
        size: (cells,): training documents, at least 1.
        scatter: standard deviation of the log variance around the trend.
        lends: (cells,): whether a cell's variance says anything for the others.

    Returns:
        pooled variance (..., cells) and its degrees of freedom (cells,).
    """
    variance = np.maximum(np.asarray(variance, dtype=float), 1e-12)
    df, x = np.asarray(df, dtype=float), np.log(np.asarray(size, dtype=float))
    cells = len(df)
    lent = df if lends is None else np.where(lends, df, 0.0)
    weight = np.where(np.eye(cells, dtype=bool), 0.0, lent / 2)
    known = weight.sum(axis=1) > 0
    if not known.any():
        return variance, df
    prior = 1 / _SLOPE_SD**2
    # (cells, cells): distance in log size of each cell from the one that is predicted, so that
    # the intercept is the prediction.
    away = x[None, :] - x[:, None]
    information = np.empty((cells, 2, 2))
    information[:, 0, 0] = np.where(known, weight.sum(axis=1), 1.0)
    information[:, 0, 1] = information[:, 1, 0] = (weight * away).sum(axis=1)
    information[:, 1, 1] = (weight * away**2).sum(axis=1) + prior
    inverse = np.linalg.inv(information)

    ratio = variance[..., None, :] / np.exp(_SLOPE * away)
    total = np.where(known, weight.sum(axis=1), 1.0)
    intercept = np.log(np.maximum((weight * ratio).sum(axis=-1) / total, 1e-12))
    slope = np.full_like(intercept, _SLOPE)
    for _ in range(12):
        fitted = np.exp(intercept[..., None] + slope[..., None] * away)
        residual = weight * (variance[..., None, :] / fitted - 1)
        gradient = np.stack(
            [residual.sum(axis=-1), (residual * away).sum(axis=-1) - prior * (slope - _SLOPE)], -1
        )
        step = np.clip(np.einsum("cij,...cj->...ci", inverse, gradient), -1, 1)
        intercept, slope = intercept + step[..., 0], slope + step[..., 1]
    worth = np.where(known, 2 / (inverse[:, 0, 0] + scatter**2), 0.0)
    joint = worth + df
    joined = (worth * np.exp(intercept) + df * variance) / np.maximum(joint, 1e-12)
    return np.where(joint > 0, joined, variance), joint


def at_null(score: float, null: float, own: float = 1.0) -> float:
    """How much larger the variance between draws is where the null hypothesis holds.

    Scores between 0 and 1 vary like score · (1 − score): draws that happen to be good lie close
    together, and would prove too much by it. As in a score test, the variance is therefore taken
    at the null value; never a smaller one. What is pooled from other cells has no part in a
    cell's luck, so only the cell's own share is corrected.

    Args:
        score: seen, in [0, 1].
        null: the largest score that is no match.
        own: share of the degrees of freedom that come from the cell's own draws.
    """
    seen, there = score * (1 - score), null * (1 - null)
    return float((there / seen) ** own) if 0 < seen < there else 1.0


def jackknife_df(without: Array) -> float:
    """Satterthwaite's degrees of freedom of a variance over documents.

    Where a few documents decide, such as those of a rare class in macro-F1, their spread is known
    from these few only: 2 / (relative variance of the sum of squares) = 2n / (kurtosis − 1).

    Args:
        without: (documents,): the score with each document left out.
    """
    away = without - without.mean()
    square = float(np.mean(away**2))
    most = len(without) - 1.0
    if square <= 0:
        return max(1.0, most)
    kurtosis = float(np.mean(away**4)) / square**2
    return float(np.clip(2 * len(without) / max(kurtosis - 1, 1e-9), 1.0, max(1.0, most)))


def half_width(variance: Array, df: Array, alpha: float, floor: Array | float = 0.0) -> Array:
    """Distance from an estimate to its one-sided 1 − alpha bound.

    Args:
        variance: (..., components): variances of independent parts of the error.
        df: the same shape: their degrees of freedom; ``inf`` for a known variance.
        alpha: one-sided level.
        floor: (...): the least total variance believed, see :func:`least_variance`.
    """
    return np.asarray(_width(variance, df, np.asarray(-special.ndtri(alpha)), floor))


def _width(variance: Array, df: Array, z: Array, floor: Array | float) -> Array:
    # The bare functions of scipy.special: a tenth of the time of scipy.stats, and they are called
    # for every cell of every simulated sweep.
    quantile = special.stdtrit(df, special.ndtr(-z)[..., None])
    squares = np.where(variance > 0, quantile**2 * variance, 0.0).sum(axis=-1)
    width: Array = np.sqrt(np.maximum(squares, z**2 * floor))
    return width


def one_sided_p(distance: float, variance: Array, df: Array, floor: float = 0.0) -> float:
    """One-sided p-value of (estimate − null value) = ``distance``.

    It is the level at which :func:`half_width` equals the distance, so p ≤ alpha exactly when the
    1 − alpha bound reaches the null value.
    """
    variance = np.asarray(variance, dtype=float)
    df = np.broadcast_to(np.asarray(df, dtype=float), variance.shape)

    def beyond(z: float) -> float:
        return float(_width(variance, df, np.asarray(z), floor)) - abs(distance)

    if beyond(0.0) >= 0:
        z = 0.0
    elif beyond(MOST_ERRORS) <= 0:
        z = MOST_ERRORS
    else:
        z = float(optimize.brentq(beyond, 0.0, MOST_ERRORS, xtol=1e-12))
    tail = float(special.ndtr(-z))
    return tail if distance >= 0 else 1 - tail


def jackknife_variance(without: Array) -> float:
    """Variance over documents or groups from leaving out each: (G − 1)/G · Σ (θ₍ᵢ₎ − θ̄)².

    With few groups of unequal sizes the bootstrap's is too small, because the large ones pull the
    score to themselves; this one errs to the other side (MacKinnon, Nielsen and Webb, Journal of
    Applied Econometrics 38 (2023) 671–694).

    Args:
        without: (groups,): the score with each left out.
    """
    return float(np.var(without) * (len(without) - 1))


def effective_units(size: Array) -> float:
    """How many equal groups groups of these sizes are worth: (Σ m)² / Σ m² (Kish 1965)."""
    return float(size.sum() ** 2 / max(float((size**2).sum()), 1e-12))


def least_variance(margin: float, units: float) -> float:
    """The least variance a difference of −margin can have: margin · (1 − margin) / units.

    Two systems that agree on all of a few documents have an observed variance of 0, which is no
    proof. If the candidate truly lost ``margin``, its errors alone would have this variance; for
    accuracy it is the least that Tango's restricted estimate allows. Where documents come in
    groups, these are the units: a candidate may lose whole patients.
    """
    return margin * (1 - margin) / units
