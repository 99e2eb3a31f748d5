"""What a test set can decide, before anything is trained.

For paired right/wrong answers the variance of the difference is discordance / n when there is no
true difference, so a non-inferiority test needs about (z_alpha + z_beta)² · discordance / margin²
documents (the Wald form in Lu and Bean, Statistics in Medicine 14 (1995) 1831–1839). Of accuracies
the power is computed exactly.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from medsweep.stats.intervals import tango_statistic

# Documents on which exactly one of two is right, above which their number is taken as normal: the
# exact sum grows with its square, which for a margin of 0.0001 would be 28 GB.
MANY = 500


def required_documents(
    discordance: float, margin: float, alpha: float = 0.05, power: float = 0.8, models: int = 1
) -> int:
    """Documents needed to call two equally accurate systems a match.

    The power is a saw-tooth in the number of documents; the first number that reaches it counts.

    Args:
        discordance: share of documents that exactly one of the two has right.
        margin: largest loss that still counts as a match, in the score.
        alpha: one-sided level.
        power: wanted chance of the right call.
        models: how many candidate models share alpha; the worst case of Holm.
    """
    needed = approximate_documents(discordance, margin, alpha, power, models)
    if needed * discordance > MANY:
        return _first(
            lambda n: _normal_power(n, discordance, margin, alpha, models) >= power, needed
        )
    while power_at(needed, discordance, margin, alpha, models) < power:
        needed += 1
    while needed > 1 and power_at(needed - 1, discordance, margin, alpha, models) >= power:
        needed -= 1
    return needed


def _first(enough: Callable[[int], bool], guess: int) -> int:
    """The least number that is enough, if all larger ones are; near ``guess``."""
    low, high = guess, guess
    while not enough(high):
        low, high = high, 2 * high
    while low > 1 and enough(low):
        low //= 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def approximate_documents(
    discordance: float, margin: float, alpha: float = 0.05, power: float = 0.8, models: int = 1
) -> int:
    """The same by the normal approximation, which promises too much where few documents differ.

    Examples:
        >>> [approximate_documents(d, 0.05) for d in (0.05, 0.1, 0.2)]
        [124, 247, 495]
    """
    z = float(stats.norm.isf(alpha / models) + stats.norm.ppf(power))
    return max(1, round(discordance * (z / margin) ** 2))


@functools.cache
def power_at(
    documents: int, discordance: float, margin: float, alpha: float = 0.05, models: int = 1
) -> float:
    """Chance that ``documents`` documents call two equally accurate systems a match.

    Exact for the decision that is made, Tango's score test: the sum over all numbers of documents
    that only one of the two has right. Where these are more than ``MANY`` on average, the sum is
    that of a normal distribution, which differs by less than 0.0015 then.
    """
    if documents * discordance > MANY:
        return _normal_power(documents, discordance, margin, alpha, models)
    spread = 8 * math.sqrt(documents * discordance * (1 - discordance)) + 8
    low = max(0, math.floor(documents * discordance - spread))
    high = min(documents, math.ceil(documents * discordance + spread))
    discordant = np.arange(low, high + 1)[:, None]
    better = np.arange(high + 1)[None, :]
    chance = stats.binom.pmf(discordant, documents, discordance) * stats.binom.pmf(
        better, discordant, 0.5
    )
    worse = np.maximum(discordant - better, 0)
    found = tango_statistic(better, worse, documents, -margin) >= stats.norm.isf(alpha / models)
    return float(chance[found & (better <= discordant)].sum())


def _normal_power(
    documents: int, discordance: float, margin: float, alpha: float, models: int
) -> float:
    """The same with better − worse taken as normal, at the mean of Tango's restricted variance."""
    each = documents * discordance / 2
    # The statistic of equally many better and worse is the margin in units of its error.
    reach = float(tango_statistic(each, each, documents, -margin))
    error = documents * margin / reach
    needed = float(stats.norm.isf(alpha / models)) * error - documents * margin
    return float(stats.norm.sf(needed / math.sqrt(documents * discordance)))


def power_of_error(
    error: NDArray[np.float64] | float,
    margin: float,
    alpha: float = 0.05,
    true_difference: float = 0,
) -> NDArray[np.float64]:
    """Power of the one-sided test when the difference has this standard error."""
    with np.errstate(divide="ignore"):
        shift = (margin + true_difference) / np.asarray(error, dtype=float)
    result: NDArray[np.float64] = stats.norm.cdf(shift - stats.norm.isf(alpha))
    return result


def required_from_error(
    document_variance: float,
    draw_variance: float,
    documents: int,
    margin: float,
    alpha: float = 0.05,
    power: float = 0.8,
) -> int | None:
    """Documents needed, from variances seen on ``documents`` documents.

    Args:
        document_variance: part of the difference's variance that falls as 1 / documents.
        draw_variance: part that more documents do not change (between draws, over draws).

    Returns:
        the number, or ``None`` when only more draws can help.
    """
    z = float(stats.norm.isf(alpha) + stats.norm.ppf(power))
    allowed = (margin / z) ** 2 - draw_variance
    if allowed <= 0:
        return None
    return max(1, math.ceil(document_variance * documents / allowed))
