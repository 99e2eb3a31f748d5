from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from medsweep.stats.bootstrap import bootstrap_interval, jackknife, resample, resample_in_parts
from medsweep.stats.metrics import count_outcomes


def replicate(counts, resamples, rng):
    """Scores of every system on the same resampled documents: (resamples, systems)."""
    return counts.scores(resample(counts.documents, resamples, rng))


def labels(n: int, classes: int, accuracy: float, systems: int, seed: int):
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, classes, n)
    other = rng.integers(0, classes, (systems, n))
    pred = np.where(rng.random((systems, n)) < accuracy, gold, other)
    return gold.astype(str).tolist(), pred.astype(str).tolist()


def test_resamples_keep_the_number_of_documents() -> None:
    weights = resample(7, 50, np.random.default_rng(0))
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()


@pytest.mark.parametrize("most", [1, 20, 1000])
def test_parts_are_the_same_resamples(most: int) -> None:
    whole = resample(7, 50, np.random.default_rng(0))
    parts = list(resample_in_parts(7, 50, np.random.default_rng(0), most))
    assert all(part.size <= max(most, 7) for part in parts)
    assert np.array_equal(np.concatenate(parts), whole)


def test_variance_of_accuracy_is_binomial() -> None:
    gold, pred = labels(200, 4, 0.7, 1, 1)
    counts = count_outcomes("classification", gold, pred, "accuracy")
    p = counts.scores()[0]
    found = replicate(counts, 20_000, np.random.default_rng(2)).var()
    assert found == pytest.approx(p * (1 - p) / 200, rel=0.05)


def test_both_intervals_equal_scipy() -> None:
    gold, pred = labels(60, 3, 0.8, 1, 4)
    right = (np.array(gold) == np.array(pred[0])).astype(float)
    counts = count_outcomes("classification", gold, pred, "accuracy")
    ours = replicate(counts, 40_000, np.random.default_rng(5))[:, 0]
    leave_one_out = jackknife(counts)[:, 0]
    for name, method in (("percentile", "percentile"), ("BCa", "bca")):
        theirs = stats.bootstrap(
            (right,), np.mean, n_resamples=40_000, method=name, rng=np.random.default_rng(6)
        ).confidence_interval
        found = bootstrap_interval(right.mean(), ours, method=method, jackknife=leave_one_out)  # type: ignore[arg-type]
        assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.017)


def test_bca_needs_the_jackknife_and_survives_a_constant() -> None:
    with pytest.raises(ValueError, match="jackknife"):
        bootstrap_interval(0.5, np.array([0.4, 0.6]), method="bca")
    flat = np.ones(100)
    found = bootstrap_interval(1.0, flat, method="bca", jackknife=np.ones(10))
    assert (found.low, found.high) == (1, 1)


def test_ten_thousand_resamples_of_sixty_cells_take_seconds() -> None:
    gold, pred = labels(500, 5, 0.8, 60, 7)
    counts = count_outcomes("classification", gold, pred, "macro_f1")
    start = time.perf_counter()
    found = replicate(counts, 10_000, np.random.default_rng(0))
    assert found.shape == (10_000, 60)
    # 0.9 s on one idle core; the limit leaves room for a busy one.
    assert time.perf_counter() - start < 15
