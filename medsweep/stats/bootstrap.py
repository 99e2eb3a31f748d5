"""Paired bootstrap over documents, or over groups of documents.

The same resample is applied to every system, so differences are paired. Efron and Tibshirani,
An Introduction to the Bootstrap, 1993; Berg-Kirkpatrick et al., EMNLP 2012, for F-scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import stats

from medsweep.stats.metrics import Counts

Array = NDArray[np.float64]
# Weights drawn at once: 100,000 documents would else take 5 GB.
AT_ONCE = 1 << 24


def resample(documents: int, resamples: int, rng: Generator) -> NDArray[np.float32]:
    """Draw bootstrap weights: (resamples, documents), each row adding up to ``documents``."""
    share = np.full(documents, 1 / documents)
    return rng.multinomial(documents, share, size=resamples).astype(np.float32)


def resample_in_parts(
    documents: int, resamples: int, rng: Generator, most: int = AT_ONCE
) -> Iterator[NDArray[np.float32]]:
    """The rows of :func:`resample` a few at a time: at most ``most`` numbers, or one row."""
    rows = max(1, most // documents)
    for start in range(0, resamples, rows):
        yield resample(documents, min(rows, resamples - start), rng)


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float


def bootstrap_interval(
    estimate: float,
    replicates: Array,
    alpha: float = 0.05,
    *,
    method: Literal["percentile", "bca"] = "percentile",
    jackknife: Array | None = None,
) -> Interval:
    """The two-sided 1 − alpha bootstrap interval of one quantity.

    Args:
        estimate: its value on the data.
        replicates: (resamples,): its value on the resamples.
        alpha: one minus the confidence level.
        method: ``percentile``, or ``bca`` (Efron 1987), bias-corrected and accelerated.
        jackknife: (documents,): its leave-one-out values; ``bca`` needs them.

    Both are too short for few documents and rare classes; docs/statistics.md has the coverage.
    """
    levels = np.array([alpha / 2, 1 - alpha / 2])
    if method == "bca":
        if jackknife is None:
            raise ValueError("bca needs the jackknife values")
        levels = _bca_levels(estimate, replicates, jackknife, levels)
    low, high = np.quantile(replicates, levels)
    return Interval(float(low), float(high))


def _bca_levels(estimate: float, replicates: Array, jackknife: Array, levels: Array) -> Array:
    # Ties count half, as in scipy.stats.bootstrap.
    below = (np.mean(replicates < estimate) + np.mean(replicates <= estimate)) / 2
    if not 0 < below < 1:
        return levels
    bias = stats.norm.ppf(below)
    away = jackknife.mean() - jackknife
    spread = np.sum(away**2) ** 1.5
    acceleration = np.sum(away**3) / (6 * spread) if spread > 0 else 0.0
    z = bias + stats.norm.ppf(levels)
    adjusted: Array = stats.norm.cdf(bias + z / (1 - acceleration * z))
    return adjusted


def jackknife(counts: Counts) -> Array:
    """Scores with each document (or group) left out: (documents, systems)."""
    return counts.scores((1 - np.eye(counts.documents)).astype(np.float32))


def replicate(counts: Counts, parts: Iterable[NDArray[np.float32]]) -> Array:
    """Scores under each row of weights: (resamples, systems)."""
    return np.concatenate([counts.scores(weights) for weights in parts])
