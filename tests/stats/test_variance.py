from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from medsweep.stats.variance import (
    DrawSpread,
    at_null,
    draw_spread,
    effective_units,
    from_finite_pool,
    half_width,
    jackknife_df,
    jackknife_variance,
    least_variance,
    one_sided_p,
    overlap,
    pool,
)


def test_one_component_gives_the_t_test() -> None:
    width = half_width(np.array([0.04]), np.array([7.0]), 0.05)
    assert width == pytest.approx(0.2 * stats.t.isf(0.05, 7))
    assert one_sided_p(width, np.array([0.04]), np.array([7.0])) == pytest.approx(0.05, abs=1e-6)


@given(
    st.floats(-0.2, 0.2),
    st.floats(1e-6, 0.01),
    st.floats(1e-6, 0.01),
    st.floats(1, 60),
    st.floats(0.001, 0.3),
)
def test_p_value_and_bound_always_agree(
    distance: float, common: float, between: float, df: float, alpha: float
) -> None:
    parts, dfs = np.array([common, between]), np.array([200.0, df])
    p = float(one_sided_p(distance, parts, dfs, 1e-4))
    width = float(half_width(parts, dfs, alpha, 1e-4))
    if abs(distance - width) > 1e-6:
        assert (p <= alpha) == (distance > width)


def test_p_value_is_symmetric() -> None:
    parts, df = np.array([0.001, 0.002]), np.array([99.0, 2.0])
    assert one_sided_p(0.03, parts, df) + one_sided_p(-0.03, parts, df) == pytest.approx(1)
    assert one_sided_p(0.0, parts, df) == pytest.approx(0.5, abs=1e-6)


def test_no_observed_disagreement_is_no_certainty() -> None:
    floor = least_variance(0.05, 20)
    p = one_sided_p(0.05, np.array([0.0]), np.array([19.0]), floor)
    # 20 documents without any disagreement: Tango's p is 0.15, far from a match.
    assert p > 0.1


def test_pool_of_one_cell_is_its_own_variance() -> None:
    value, df = pool(np.array([0.002]), np.array([2.0]), np.array([100.0]))
    assert (value[0], df[0]) == (0.002, 2)


def test_pool_ignores_cells_with_one_draw() -> None:
    value, df = pool(np.array([0.002, 0.9]), np.array([2.0, 0.0]), np.array([50.0, 100.0]))
    assert (value[0], df[0]) == pytest.approx((0.002, 2))
    assert df[1] > 0


def test_pool_follows_the_trend_that_r_fits() -> None:
    # With four cells of many degrees of freedom the prior on the slope hardly matters:
    # > v <- c(4e-4,9e-4,1e-4,2e-4); n <- c(25,25,100,100)
    # > coef(glm(v ~ log(n), family=Gamma(link="log")))
    #  (Intercept)       log(n)
    # -3.933808958 -1.057738609
    trend = np.exp(-3.933808958 - 1.057738609 * np.log([25, 25, 100, 100, 50]))
    variance = np.array([4e-4, 9e-4, 1e-4, 2e-4, 1.0])
    df = np.array([2000.0] * 4 + [0.0])
    value, _ = pool(variance, df, np.array([25.0, 25, 100, 100, 50]))
    # The fifth cell has no draws of its own: its value is the trend.
    assert value[4] == pytest.approx(trend[4], rel=0.01)


def test_pool_is_unbiased_and_its_degrees_of_freedom_honest() -> None:
    rng = np.random.default_rng(0)
    sizes = np.tile([25.0, 50, 100, 200, 400], 3)
    truth = 0.01 * sizes**-0.5
    df = np.full(15, 2.0)
    seen = truth * rng.chisquare(2, (4000, 15)) / 2
    value, worth = pool(seen, df, sizes)
    assert value.mean(axis=0) == pytest.approx(truth, rel=0.06)
    # A variance with f degrees of freedom has squared coefficient of variation 2 / f.
    spread = (value / truth).var(axis=0)
    assert (spread < 2 / worth * 1.1).all()
    assert (worth < 2 + 2 / 0.25 + 1e-9).all()


def test_pool_takes_a_batch() -> None:
    seen = np.random.default_rng(1).chisquare(2, (3, 4)) / 1000
    df, size = np.full(4, 2.0), np.array([25.0, 50, 25, 50])
    batch, _ = pool(seen, df, size)
    assert batch[1] == pytest.approx(pool(seen[1], df, size)[0])


def test_draw_spread_splits_off_the_documents() -> None:
    rng = np.random.default_rng(2)
    scores = np.array([0.7, 0.72, 0.68])
    replicates = scores + rng.normal(0, 0.02, (20_000, 1)) + rng.normal(0, 0.01, (20_000, 3))
    found = draw_spread(scores, replicates)
    assert found.total == pytest.approx(0.0004)
    assert found.documents == pytest.approx(0.0001, rel=0.05)
    assert draw_spread(scores[:1], replicates[:, :1]).draws == 1


def test_a_variance_that_few_documents_decide_is_worth_few_degrees_of_freedom() -> None:
    rng = np.random.default_rng(0)
    # Normal: kurtosis 3, so n; the standard error of the kurtosis is sqrt(24 / n) = 0.03.
    assert jackknife_df(rng.standard_normal(20_000)) == pytest.approx(20_000, rel=0.05)
    # Right or wrong, 80 % right: kurtosis (1 - 3pq) / pq = 3.25.
    right = jackknife_df(np.repeat([0.0, 1.0], [100, 400]))
    assert right == pytest.approx(2 * 500 / 2.25)
    rare = np.zeros(100)
    rare[:4] = [1, -1, 1, -1]
    assert jackknife_df(rare) == pytest.approx(2 * 100 / (25 - 1))


def test_the_variance_between_draws_is_that_of_the_null_where_it_is_larger() -> None:
    assert at_null(0.9, 0.8) == pytest.approx(0.16 / 0.09)
    assert at_null(0.9, 0.8, own=0.5) == pytest.approx(4 / 3)  # half of it is pooled from others
    assert at_null(0.7, 0.8) == 1.0  # never smaller
    assert at_null(1.0, 0.8) == 1.0  # draws that are all perfect have no variance


def test_the_jackknife_of_a_mean_is_its_variance() -> None:
    values = np.random.default_rng(0).random(30)
    without = (values.sum() - values) / 29
    assert jackknife_variance(without) == pytest.approx(values.var(ddof=1) / 30)


@pytest.mark.parametrize(
    ("sizes", "worth"),
    [([7.0] * 12, 12), ([1.0, 1.0, 2.0], 16 / 6), ([100.0, 1.0], 101**2 / 10001)],
)
def test_unequal_groups_are_worth_fewer_equal_ones(sizes: list[float], worth: float) -> None:
    assert effective_units(np.array(sizes)) == pytest.approx(worth)


def test_draws_from_a_pool_show_a_share_of_the_variance() -> None:
    rng = np.random.default_rng(1)
    # The mean of n values drawn without replacement: draws from one pool, and from new ones.
    pools = rng.standard_normal((4000, 60))
    draws = np.stack([rng.permuted(pools, axis=1)[:, :40].mean(axis=1) for _ in range(3)], axis=1)
    seen = float(draws.var(axis=1, ddof=1).mean())
    spread = from_finite_pool(DrawSpread(3, seen, 0.0), 40, 60)
    assert spread.total == pytest.approx(1 / 40, rel=0.05)
    # Their mean keeps what the pool is peculiar in.
    common = 1 + 2 * overlap(40, 60)
    assert draws.mean(axis=1).var() == pytest.approx(spread.total * common / 3, rel=0.06)
    # What test documents add is not divided, and nothing is where all of the pool is used.
    assert from_finite_pool(DrawSpread(3, 0.2, 0.2), 40, 60).total == pytest.approx(0.2)
    assert from_finite_pool(DrawSpread(3, 0.2, 0.1), 60, 60).total == 0.2
    assert from_finite_pool(DrawSpread(3, 0.2, 0.1), 40, None).total == 0.2


def test_what_lends_nothing_leaves_the_others_alone() -> None:
    seen, df, size = np.array([0.01, 0.01, 1e-6]), np.full(3, 2.0), np.array([50.0, 50.0, 50.0])
    alone, _ = pool(seen[:2], df[:2], size[:2])
    lent, _ = pool(seen, df, size, lends=np.array([True, True, False]))
    assert lent[:2] == pytest.approx(alone)
    assert lent[2] > seen[2]
