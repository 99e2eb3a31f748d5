"""A few rows of `benchmarks/calibration.py`: false matches stay rare, and promised power is found.

All rows, at 2,000 sweeps, are in docs/statistics.md; these are the ones that bounds missed once.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

SWEEPS = 200
ROWS = (
    "macro_f1, SD 0.03",
    "rarest class 2.5 % of 120, one draw",
    "one class loses all, 104 documents",
    "heavy-tailed spans, three draws",
    "50 groups of 1 to 40, one draw",
)


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(__file__).parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.usefixtures("benchmarks")
def test_false_matches_are_no_more_than_alpha(row: str) -> None:
    import calibration
    import scenarios

    (scenario,) = (s for s in scenarios.edge_scenarios() if s.name == row)
    found: Any = calibration.simulate(scenario, SWEEPS, 0)
    # Two and a half standard errors of a share of 200.
    most = scenario.alpha + 2.5 * math.sqrt(scenario.alpha * (1 - scenario.alpha) / SWEEPS)
    assert found.family <= most
    assert found.difference >= 1 - scenario.alpha - 0.04


@pytest.mark.parametrize("row", ["macro_f1, 300 documents", "span_f1, 400 documents"])
@pytest.mark.usefixtures("benchmarks")
def test_power_is_promised_as_it_is_found(row: str) -> None:
    import calibration
    import scenarios

    (scenario,) = (s for s in scenarios.promise_scenarios() if s.name == row)
    promised, found = calibration.promise(scenario, 300, 0)
    # Within 0.05, and a standard error of the difference of two shares of 300.
    assert promised == pytest.approx(found, abs=0.05 + math.sqrt(2 * 0.25 / 300))
