from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from medsweep.stats.intervals import tango, tango_statistic, wilson


@pytest.mark.parametrize(
    ("better", "worse", "documents", "alpha", "low", "high"),
    [
        # R 4.2.2; the restricted estimate by optimize(), the ends by uniroot():
        # > tango <- function(b,c,n,alpha){
        # +   z <- qnorm(1-alpha/2)
        # +   stat <- function(d){
        # +     ll <- function(q){ p <- q+d; x <- 0; if(b>0) x <- x+b*log(p)
        # +       if(c>0) x <- x+c*log(q); r <- n-b-c; if(r>0) x <- x+r*log(1-p-q); x}
        # +     q <- optimize(ll, c(max(0,-d)+1e-12, (1-d)/2-1e-12), maximum=TRUE,
        # +                   tol=1e-12)$maximum
        # +     (b-c-n*d)/sqrt(n*(2*q+d-d^2)) }
        # +   e <- (b-c)/n
        # +   c(uniroot(function(d) stat(d)-z, c(-0.999,e-1e-9), tol=1e-12)$root,
        # +     uniroot(function(d) stat(d)+z, c(e+1e-9,0.999), tol=1e-12)$root) }
        # > tango(8,3,100,0.05)
        # [1] -0.017456878  0.125338331
        (8, 3, 100, 0.05, -0.017456878, 0.125338331),
        # > tango(14,5,50,0.05)
        # [1] 0.0097746514 0.3435445220
        (14, 5, 50, 0.05, 0.0097746514, 0.3435445220),
        # > tango(0,0,30,0.1)
        # [1] -0.082724312  0.082724308
        (0, 0, 30, 0.1, -0.08272431, 0.08272431),
        # > tango(0,1,44,0.05)
        # [1] -0.118077101  0.059393232
        (0, 1, 44, 0.05, -0.118077101, 0.059393232),
    ],
)
def test_tango_equals_r(
    better: int, worse: int, documents: int, alpha: float, low: float, high: float
) -> None:
    found = tango(better, worse, documents, alpha)
    assert (found.low, found.high) == pytest.approx((low, high), abs=2e-7)


def test_tango_without_discordance_has_the_closed_form() -> None:
    z = stats.norm.isf(0.05)
    assert tango(0, 0, 20, 0.1).low == pytest.approx(-(z**2) / (20 + z**2))


def test_tango_is_symmetric_and_inverts_its_statistic() -> None:
    one, other = tango(7, 12, 90), tango(12, 7, 90)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert tango_statistic(7, 12, 90, one.low) == pytest.approx(stats.norm.isf(0.025), abs=1e-6)


@pytest.mark.parametrize(("better", "worse"), [(0, 10), (10, 0), (5, 5)])
def test_tango_survives_full_discordance(better: int, worse: int) -> None:
    found = tango(better, worse, 10)
    assert -1 <= found.low <= (better - worse) / 10 <= found.high <= 1


def test_tango_refuses_impossible_counts() -> None:
    with pytest.raises(ValueError, match="at least one document"):
        tango(6, 6, 10)


def test_wilson_with_binomial_variance_equals_r_and_statsmodels() -> None:
    # > prop.test(94, 104, correct=FALSE)$conf.int
    # [1] 0.8319911825 0.9469300313
    p = 94 / 104
    low, high = wilson(p, p * (1 - p) / 104, 104, stats.norm.isf(0.025))
    assert (float(low), float(high)) == pytest.approx((0.8319911825, 0.9469300313))
    assert (low, high) == pytest.approx(proportion_confint(94, 104, method="wilson"))


def test_wilson_of_a_perfect_score_is_no_point() -> None:
    low, high = wilson(1.0, 0.0, 50, stats.norm.isf(0.025))
    assert (low, high) == pytest.approx(proportion_confint(50, 50, method="wilson"))


def test_wilson_stays_in_bounds_for_any_variance() -> None:
    low, high = wilson(np.array([0.0, 0.01, 0.5, 0.99]), np.array([0.0, 0.04, 0.3, 0.04]), 30, 2.0)
    assert (low >= 0).all()
    assert (high <= 1).all()
    assert (low <= high).all()
