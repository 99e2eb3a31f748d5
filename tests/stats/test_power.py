from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from medsweep.stats import power
from medsweep.stats.intervals import tango
from medsweep.stats.power import (
    approximate_documents,
    power_at,
    power_of_error,
    required_documents,
    required_from_error,
)


def test_approximate_documents_equal_r() -> None:
    # > c(.05, .1, .2) * ((qnorm(.95) + qnorm(.8)) / .05)^2
    # [1] 123.65114 247.30229 494.60458
    assert [approximate_documents(d, 0.05) for d in (0.05, 0.1, 0.2)] == [124, 247, 495]


@pytest.mark.parametrize(("documents", "discordance"), [(30, 0.2), (104, 0.1)])
def test_power_is_how_often_tangos_bound_lies_above_the_margin(
    documents: int, discordance: float
) -> None:
    rng = np.random.default_rng(0)
    draws = 4000
    shares = [discordance / 2, discordance / 2, 1 - discordance]
    seen = rng.multinomial(documents, shares, size=draws)
    lows = {(b, w): tango(b, w, documents, 0.1).low for b, w in {(b, w) for b, w, _ in seen}}
    found = np.mean([lows[b, w] > -0.1 for b, w, _ in seen])
    # Three standard errors of a share of 4000.
    assert power_at(documents, discordance, 0.1) == pytest.approx(found, abs=0.024)


def test_required_documents_reach_the_power_and_one_less_does_not() -> None:
    for discordance in (0.05, 0.1, 0.2):
        n = required_documents(discordance, 0.05)
        assert power_at(n, discordance, 0.05) >= 0.8 > power_at(n - 1, discordance, 0.05)


def test_more_models_need_more_documents() -> None:
    assert required_documents(0.1, 0.05, models=5) > required_documents(0.1, 0.05)


def test_power_at_a_margin_of_so_many_errors() -> None:
    # The margin at which power is 0.9: the error times z(0.95) + z(0.9).
    margin = 0.02 * (1.6448536269514722 + 1.2815515655446004)
    assert power_of_error(0.02, margin) == pytest.approx(0.9, abs=1e-6)


def test_documents_needed_from_what_was_seen() -> None:
    # Document variance 0.1 / 200, no draws: the same as discordance 0.1.
    assert required_from_error(0.1 / 200, 0.0, 200, 0.05) == 248
    assert required_from_error(0.1 / 200, 0.0005, 200, 0.05) is None


@pytest.mark.parametrize("margin", [1e-6, 1e-4, 0.002])
def test_small_margins_need_many_documents_and_little_memory(margin: float) -> None:
    tracemalloc.start()
    found = [required_documents(d, margin) for d in (0.05, 0.1, 0.2)]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100 << 20
    assert found == pytest.approx(
        [approximate_documents(d, margin) for d in (0.05, 0.1, 0.2)], 0.02
    )


@pytest.mark.parametrize(("documents", "discordance"), [(10_100, 0.05), (1010, 0.5)])
def test_many_documents_are_taken_as_normal_without_a_jump(
    documents: int, discordance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    margins = [0.01, 0.02, 0.05]
    normal = [power_at(documents, discordance, m, alpha=0.051) for m in margins]
    power_at.cache_clear()
    monkeypatch.setattr(power, "MANY", 1000)
    exact = [power_at(documents, discordance, m, alpha=0.051) for m in margins]
    power_at.cache_clear()
    assert normal == pytest.approx(exact, abs=0.0015)
