from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.power import normal_power

from medsweep.stats.power import (
    detectable_margin,
    power_at,
    power_of_error,
    required_documents,
    required_from_error,
)


def test_required_documents_equal_r() -> None:
    # > c(.05, .1, .2) * ((qnorm(.95) + qnorm(.8)) / .05)^2
    # [1] 123.65114 247.30229 494.60458
    assert [required_documents(d, 0.05) for d in (0.05, 0.1, 0.2)] == [124, 247, 495]


def test_power_at_the_required_size_is_the_power_asked_for() -> None:
    for discordance in (0.05, 0.1, 0.2):
        n = required_documents(discordance, 0.05)
        assert power_at(n, discordance, 0.05) == pytest.approx(0.8, abs=0.002)
    assert power_at(104, 0.2, 0.05) == pytest.approx(
        normal_power(0.05 / np.sqrt(0.2), 104, 0.05, alternative="larger")
    )


def test_more_models_need_more_documents() -> None:
    assert required_documents(0.1, 0.05, models=5) > required_documents(0.1, 0.05)


def test_detectable_margin_inverts_power() -> None:
    margin = detectable_margin(0.02, power=0.9)
    assert power_of_error(0.02, margin) == pytest.approx(0.9)


def test_documents_needed_from_what_was_seen() -> None:
    # Document variance 0.1 / 200, no draws: the same as discordance 0.1.
    assert required_from_error(0.1 / 200, 0.0, 200, 0.05) == 248
    assert required_from_error(0.1 / 200, 0.0005, 200, 0.05) is None
