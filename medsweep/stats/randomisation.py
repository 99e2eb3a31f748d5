"""Approximate randomisation: is there a difference at all between two systems?

Noreen 1989; Yeh, COLING 2000; Riezler and Maxwell 2005 for NLP. Under the null hypothesis that
the two systems are exchangeable on every document, their outputs are swapped at random. It tests
*difference*; a large p-value is no evidence of a match, so the verdict never uses it.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from medsweep.stats.metrics import Counts


def randomisation_test(counts: Counts, resamples: int, rng: Generator) -> float:
    """Two-sided p-value that the first two systems of ``counts`` score the same.

    The observed arrangement counts as one of the resamples (Phipson and Smyth 2010), so the
    value is never 0.
    """
    if counts.systems != 2:
        raise ValueError("needs exactly two systems")
    first, second = counts.scores()
    observed = abs(first - second)
    swap = rng.random((resamples, counts.documents)) < 0.5
    mixed = counts.swapped(swap)
    extreme = np.abs(mixed[:, 0] - mixed[:, 1]) >= observed - 1e-12
    return float((extreme.sum() + 1) / (resamples + 1))
