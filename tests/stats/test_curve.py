from __future__ import annotations

import numpy as np
import pytest

from medsweep.stats.curve import fit, learning_curve

SIZES = np.array([25.0, 50, 100, 200, 400])


def test_fit_equals_r_nls_up_to_its_grid() -> None:
    # > s <- c(25,50,100,200,400); y <- c(.51,.62,.68,.74,.76)
    # > f <- nls(y ~ a-b*s^(-cc), start=list(a=.85,b=2,cc=.5)); coef(f); deviance(f)
    #          a          b         cc
    # 0.81956067 2.20781724 0.61076385
    # [1] 0.000117304
    y = np.array([[0.51, 0.62, 0.68, 0.74, 0.76]])
    found = fit(SIZES, y, np.ones(5))
    assert found.a[0] == pytest.approx(0.8196, abs=0.01)
    assert ((found.at(SIZES) - y) ** 2).sum() == pytest.approx(0.000117304, rel=0.05)


def test_fit_keeps_to_its_bounds() -> None:
    rising = np.array([[0.1, 0.3, 0.5, 0.7, 0.9]])
    falling = rising[:, ::-1]
    found = fit(SIZES, np.vstack([rising, falling]), np.full(5, 1e-4))
    assert (found.a <= 1 + 1e-12).all()
    assert (found.b >= 0).all()
    assert found.at(SIZES)[1] == pytest.approx(np.full(5, 0.5))


def test_fit_needs_three_sizes() -> None:
    with pytest.raises(ValueError, match="three sizes"):
        fit(np.array([25.0, 50]), np.array([[0.5, 0.6]]), np.ones(2))


def curve_of(scores: list[float], target: float, noise: float = 0.01):
    rng = np.random.default_rng(0)
    means = np.array(scores)
    common = rng.normal(0, noise, (1000, 1))
    replicates = means + common + rng.normal(0, noise / 3, (1000, len(means)))
    return learning_curve(
        "m",
        [int(n) for n in SIZES[: len(means)]],
        means,
        [[s] for s in scores],
        replicates,
        np.full(len(means), 1e-5),
        target,
        target + common[:, 0],
        0.05,
        rng,
    )


def test_labels_needed_has_an_interval_around_the_truth() -> None:
    truth = 0.9 - 1.5 * SIZES**-0.5
    found = curve_of(truth.tolist(), 0.75)
    needed = found.labels_needed
    assert needed is not None
    assert needed.reached
    assert needed.low is not None
    assert needed.high is not None
    assert needed.low < 100 < needed.high
    assert needed.estimate == pytest.approx(100, abs=6)
    assert len(found.band) == 25
    assert all(p["low"] <= p["score"] <= p["high"] for p in found.band)


def test_a_target_beyond_the_sizes_is_not_reached_rather_than_extrapolated() -> None:
    truth = 0.9 - 1.5 * SIZES**-0.5
    needed = curve_of(truth.tolist(), 0.86).labels_needed
    assert needed is not None
    assert (needed.estimate, needed.high, needed.reached) == (None, None, False)
    assert needed.share_reached < 0.2


def test_a_target_below_the_first_size_is_not_extrapolated_either() -> None:
    needed = curve_of([0.8, 0.82, 0.83, 0.84, 0.845], 0.7).labels_needed
    assert needed is not None
    assert (needed.estimate, needed.low) == (25, 25)


def test_a_fall_beyond_chance_is_flagged() -> None:
    found = curve_of([0.5, 0.7, 0.6, 0.75, 0.76], 0.7)
    assert found.non_monotone == [100]
    assert found.reason is not None
    assert curve_of([0.5, 0.7, 0.699, 0.75, 0.76], 0.7).non_monotone == []


def test_two_sizes_have_no_curve_but_are_kept() -> None:
    found = curve_of([0.5, 0.6], 0.7)
    assert found.labels_needed is None
    assert found.scores == [0.5, 0.6]
    assert "three sizes" in (found.reason or "")
