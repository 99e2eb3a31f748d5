"""Learning curves: score = a − b·n^(−c), and how many labels reach a target.

The inverse power law is the usual form (Figueroa et al., BMC Medical Informatics and Decision
Making 12 (2012) 8). For a fixed c it is linear in a and b, so a grid over c with weighted least
squares fits thousands of bootstrap replicates at once (variable projection, Golub and Pereyra
1973). Nothing is read off the curve outside of the sizes that were run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

_POWERS = np.geomspace(0.05, 2.5, 60)
_BAND_POINTS = 25


@dataclass(frozen=True)
class Fit:
    """a − b·n^(−c) with b ≥ 0 and a ≤ 1; each attribute is (replicates,)."""

    a: Array
    b: Array
    c: Array

    def at(self, sizes: Array) -> Array:
        """The curve at some sizes: (replicates, sizes)."""
        powers: Array = np.asarray(sizes, dtype=float)[None, :] ** -self.c[:, None]
        values: Array = self.a[:, None] - self.b[:, None] * powers
        return values

    def reaches(self, target: Array, first: float, last: float) -> Array:
        """Size at which the curve meets each target, ``inf`` where it does not by ``last``."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            size = (self.b / (self.a - target)) ** (1 / self.c)
        ends = self.at(np.array([first, last]))
        size = np.where(ends[:, 0] >= target, first, size)
        return np.where(ends[:, 1] < target, np.inf, np.clip(size, first, last))


def fit(sizes: Array, scores: Array, variances: Array) -> Fit:
    """Weighted least-squares fit of every row of scores.

    Args:
        sizes: (sizes,): at least three different ones.
        scores: (replicates, sizes).
        variances: (sizes,): variance of each score.
    """
    if len(np.unique(sizes)) < 3:
        raise ValueError("three parameters need at least three sizes")
    floor = max(float(np.max(variances)) * 1e-3, 1e-9)
    weight = 1 / np.maximum(variances, floor)
    weight = weight / weight.sum()
    x = np.asarray(sizes, dtype=float)[None, :] ** -_POWERS[:, None]
    mean_x, mean_y = x @ weight, scores @ weight
    spread = ((x - mean_x[:, None]) ** 2) @ weight
    cross = (scores * weight) @ (x - mean_x[:, None]).T
    b = np.maximum(-cross / spread, 0.0)
    a = mean_y[:, None] + b * mean_x
    # A score is at most 1: where the free optimum has a > 1 the best fit is on that edge.
    over = a > 1
    through_one = ((1 - scores) * weight) @ x.T / ((x**2) @ weight)
    a, b = np.where(over, 1.0, a), np.where(over, np.maximum(through_one, 0.0), b)
    loss = np.zeros(a.shape)
    for s in range(len(weight)):
        loss += weight[s] * (scores[:, s : s + 1] - a + b * x[:, s]) ** 2
    best = loss.argmin(axis=1)
    row = np.arange(len(scores))
    return Fit(a[row, best], b[row, best], _POWERS[best])


@dataclass(frozen=True)
class LabelsNeeded:
    """How many training documents reach the target.

    Attributes:
        estimate: their number, or ``None``: not reached within the sizes that were run.
        low: lower end of the bootstrap interval, ``None`` as above.
        high: upper end; ``None`` when the target may well not be reached.
        reached: whether the fitted curve reaches the target.
        share_reached: share of bootstrap curves that do.
    """

    estimate: int | None
    low: int | None
    high: int | None
    reached: bool
    share_reached: float


@dataclass(frozen=True)
class Curve:
    """One model's learning curve.

    Attributes:
        model: slug.
        train_sizes: ascending.
        scores: mean over draws, one a size.
        draw_scores: the score of each draw, one list a size.
        a: the fitted asymptote, ``None`` with fewer than three sizes.
        b: the fitted gap at n = 1.
        c: the fitted power.
        band: the fitted curve within the sizes: ``train_size``, ``score``, ``low``, ``high``.
        target: reference score − margin.
        labels_needed: to reach the target; ``None`` without a fit.
        non_monotone: sizes at which the score fell by more than chance explains.
        reason: why there is no fit, or what to beware of.
    """

    model: str
    train_sizes: list[int]
    scores: list[float]
    draw_scores: list[list[float]]
    a: float | None
    b: float | None
    c: float | None
    band: list[dict[str, float]]
    target: float
    labels_needed: LabelsNeeded | None
    non_monotone: list[int]
    reason: str | None


def learning_curve(
    model: str,
    sizes: list[int],
    scores: Array,
    draw_scores: list[list[float]],
    replicates: Array,
    draw_variance: Array,
    target: float,
    target_replicates: Array,
    alpha: float,
    rng: np.random.Generator,
) -> Curve:
    """Fit one model's curve and read the labels needed off it.

    Args:
        model: slug.
        sizes: ascending.
        scores: (sizes,): means over draws.
        draw_scores: for each size, its draws.
        replicates: (resamples, sizes): the means on resampled documents.
        draw_variance: (sizes,): variance of the mean that comes from draws alone.
        target: the score to reach.
        target_replicates: (resamples,): the same on the same resamples.
        alpha: one minus the two-sided level of interval and band.
        rng: for the part of the variance that draws add to the resamples.
    """
    at = np.asarray(sizes, dtype=float)
    noise = rng.standard_normal(replicates.shape) * np.sqrt(draw_variance)
    noisy = replicates + noise
    falls = _falls(sizes, scores, noisy, alpha)
    beware = "the score falls as labels are added; read the sizes, not the curve" if falls else None
    observed: dict[str, Any] = {
        "model": model,
        "train_sizes": list(sizes),
        "scores": [float(s) for s in scores],
        "draw_scores": draw_scores,
        "target": float(target),
        "non_monotone": falls,
    }
    if len(sizes) < 3:
        nothing: dict[str, Any] = dict.fromkeys(("a", "b", "c", "labels_needed"))
        return Curve(**observed, **nothing, band=[], reason="a curve needs at least three sizes")
    variances = noisy.var(axis=0)
    best, curves = fit(at, scores[None, :], variances), fit(at, noisy, variances)
    return Curve(
        **observed,
        a=float(best.a[0]),
        b=float(best.b[0]),
        c=float(best.c[0]),
        band=_band(best, curves, at, alpha),
        labels_needed=_labels_needed(best, curves, at, target, target_replicates, alpha),
        reason=beware,
    )


def _band(best: Fit, curves: Fit, at: Array, alpha: float) -> list[dict[str, float]]:
    """The curve and its bootstrap band at sizes between those that were run."""
    grid = np.geomspace(at[0], at[-1], _BAND_POINTS)
    low, high = np.quantile(curves.at(grid), [alpha / 2, 1 - alpha / 2], axis=0)
    return [
        {"train_size": float(n), "score": float(s), "low": float(lo), "high": float(hi)}
        for n, s, lo, hi in zip(grid, best.at(grid)[0], low, high, strict=True)
    ]


def _labels_needed(
    best: Fit,
    curves: Fit,
    at: Array,
    target: float,
    target_replicates: Array,
    alpha: float,
) -> LabelsNeeded:
    """Where the curve reaches the target, with a bootstrap interval."""
    estimate = best.reaches(np.array([target]), at[0], at[-1])[0]
    needed = curves.reaches(target_replicates, at[0], at[-1])
    ends = np.quantile(needed, [alpha / 2, 1 - alpha / 2], method="closest_observation")
    return LabelsNeeded(
        estimate=_labels(estimate),
        low=_labels(ends[0]),
        high=_labels(ends[1]),
        reached=bool(np.isfinite(estimate)),
        share_reached=float(np.isfinite(needed).mean()),
    )


def _falls(sizes: list[int], scores: Array, noisy: Array, alpha: float) -> list[int]:
    """Sizes whose score is below the size before by more than a one-sided test lets pass."""
    error = np.diff(noisy, axis=1).std(axis=0)
    drop = -np.diff(scores)
    beyond = drop > np.maximum(stats.norm.isf(alpha) * error, 1e-9)
    return [int(n) for n, fell in zip(sizes[1:], beyond, strict=True) if fell]


def _labels(size: float) -> int | None:
    return int(np.ceil(size - 1e-9)) if np.isfinite(size) else None
