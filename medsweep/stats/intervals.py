"""Intervals for proportions and for the difference of paired proportions.

What scipy has is taken from there; Tango's interval is written here because neither scipy nor
statsmodels has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from medsweep.stats.bootstrap import Interval


def tango(better: int, worse: int, documents: int, alpha: float = 0.05) -> Interval:
    """Score interval of the difference of two paired proportions.

    Args:
        better: documents that only the candidate has right.
        worse: documents that only the reference has right.
        documents: all documents.
        alpha: one minus the two-sided confidence level; a one-sided bound at level 1 − a is an
            end of the interval for ``2 * a``.

    Returns:
        the interval of (candidate − reference). Unlike Wald's it is sound with few discordant
        documents, also with none.

    Source: Tango, Statistics in Medicine 17 (1998) 891–908, with the closed form of the
    restricted estimate.
    """
    if documents <= 0 or min(better, worse) < 0 or better + worse > documents:
        raise ValueError("need 0 <= better + worse <= documents and at least one document")
    z = stats.norm.isf(alpha / 2)

    def statistic(delta: float) -> float:
        return float(tango_statistic(better, worse, documents, delta))

    estimate = (better - worse) / documents
    edge = 1 - 1e-12

    def solve(target: float, low: float, high: float) -> float:
        if (statistic(low) - target) * (statistic(high) - target) > 0:
            return low if abs(low) > abs(high) else high
        return float(
            optimize.brentq(lambda d: _finite(statistic(d)) - target, low, high, xtol=1e-12)
        )

    low = -1.0 if estimate <= -edge else solve(z, -edge, estimate)
    high = 1.0 if estimate >= edge else solve(-z, estimate, edge)
    return Interval(low, high)


def tango_statistic(
    better: NDArray[np.int64] | float,
    worse: NDArray[np.int64] | float,
    documents: int,
    delta: float,
) -> NDArray[np.float64]:
    """Tango's score statistic of the null hypothesis that the difference is ``delta``.

    Standard normal under the null; at ``delta = -margin`` its upper tail is the p-value of
    non-inferiority.
    """
    b_, w_ = np.asarray(better, dtype=float), np.asarray(worse, dtype=float)
    # q: maximum-likelihood estimate of P(only reference right) given the difference.
    a = 2.0 * documents
    b = -b_ - w_ + (2 * documents - b_ + w_) * delta
    c = -w_ * delta * (1 - delta)
    q = (np.sqrt(np.maximum(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = documents * (2 * q + delta * (1 - delta))
    distance = b_ - w_ - documents * delta
    certain = np.where(distance == 0, 0.0, np.copysign(np.inf, distance))
    root = np.sqrt(np.where(variance > 0, variance, 1.0))
    statistic: NDArray[np.float64] = np.where(variance > 0, distance / root, certain)
    return statistic


def _finite(x: float) -> float:
    return max(-1e9, min(1e9, x))


def wilson(
    score: NDArray[np.float64] | float,
    variance: NDArray[np.float64] | float,
    documents: int,
    quantile: NDArray[np.float64] | float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's interval of a score with a given variance, through its effective sample size.

    The effective size is s(1 − s) / variance: with the binomial variance this is Wilson's own
    interval. It stays in [0, 1] and is sound near both ends, where score ± t·SE is not.

    Args:
        score: in [0, 1].
        variance: of the score.
        documents: the size taken where the variance is 0, as when everything is right.
        quantile: of the standard normal or of Student's t.

    Returns:
        lower and upper ends.

    Source: Wilson, JASA 22 (1927) 209–212; for variances that are not binomial, Korn and
    Graubard, Survey Methodology 24 (1998) 193–201.
    """
    s, v = np.asarray(score, dtype=float), np.asarray(variance, dtype=float)
    spread = s * (1 - s)
    size = np.divide(
        spread, v, out=np.full(np.broadcast(s, v).shape, float(documents)), where=v > 0
    )
    size = np.where(spread > 0, np.maximum(size, 1.0), float(documents))
    q2 = np.asarray(quantile, dtype=float) ** 2
    centre = (s + q2 / (2 * size)) / (1 + q2 / size)
    half = np.sqrt(q2) / (1 + q2 / size) * np.sqrt(spread / size + q2 / (4 * size**2))
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
