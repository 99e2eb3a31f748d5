from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from medsweep.stats.frame import Entry
from medsweep.stats.multiplicity import holm_of_sequences
from medsweep.stats.systems import adjust

P = st.floats(0, 1)


def holm(p_values: list[float]) -> list[float]:
    """Of sequences of one: Holm's own method."""
    return [adjusted for (adjusted,) in holm_of_sequences([[p] for p in p_values])]


def test_holm_equals_r() -> None:
    # > p.adjust(c(0.01, 0.02, 0.03, 0.005), "holm")
    # [1] 0.03 0.04 0.04 0.02
    assert holm([0.01, 0.02, 0.03, 0.005]) == pytest.approx([0.03, 0.04, 0.04, 0.02])


@given(st.lists(P, min_size=1, max_size=8))
def test_holm_equals_statsmodels(p_values: list[float]) -> None:
    # It collects garbage each time, which took a minute and a half of this test.
    with mock.patch("gc.collect"):
        expected = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(expected)


def test_a_single_sequence_costs_no_alpha() -> None:
    assert holm_of_sequences([[0.01, 0.04, 0.2, 0.001]]) == [[0.01, 0.04, 0.2, 0.2]]


def test_a_share_goes_to_other_models_only_when_the_sequence_is_through() -> None:
    # Half of alpha each. The first model passes one size and stops, so the second model keeps
    # its half and misses at 0.03; where the first is through, the second has all of alpha.
    stuck = holm_of_sequences([[0.001, 0.9], [0.03]])
    assert stuck[0][0] == pytest.approx(0.002)
    assert stuck[1] == pytest.approx([0.06])
    through = holm_of_sequences([[0.001, 0.002], [0.03]])
    assert through[1] == pytest.approx([0.03])


@given(st.lists(st.lists(P, min_size=0, max_size=4), max_size=5))
def test_adjusted_values_are_never_below_raw_ones_and_rise_along_a_sequence(
    sequences: list[list[float]],
) -> None:
    for raw, adjusted in zip(sequences, holm_of_sequences(sequences), strict=True):
        assert len(raw) == len(adjusted)
        assert all(a >= min(p, 1) - 1e-12 for p, a in zip(raw, adjusted, strict=True))
        assert all(np.diff(adjusted) >= 0)


def test_family_wise_error_holds_where_the_naive_rule_fails() -> None:
    # First size of model 1 is a true match; its second and model 2 are at the edge. Giving
    # model 2 the whole alpha once model 1's first size has passed would err in 7.3 %.
    rng = np.random.default_rng(1)
    false, sweeps = 0, 20_000
    for second, other in rng.random((sweeps, 2)):
        adjusted = holm_of_sequences([[1e-6, second], [other]])
        false += adjusted[0][1] <= 0.05 or adjusted[1][0] <= 0.05
    assert false / sweeps < 0.05 + 3 * np.sqrt(0.05 * 0.95 / sweeps)


def test_sizes_that_overlap_much_come_last() -> None:
    entries = [Entry("finetuned", "m", n, (0, 1), (0, 1)) for n in (50, 100, 190, 200)]
    p_values = [0.01, 0.01, 0.9, 0.01]
    assert adjust(entries, p_values) == [0.9, 0.9, 0.9, 0.01]
    assert adjust(entries, p_values, pool=200) == [0.01, 0.01, 0.9, 0.01]
