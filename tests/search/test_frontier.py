"""The strategy as a pure function: what follows from what dev has shown."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsweep.plan.build import trials_at
from medsweep.record.trial import CellKey
from medsweep.search.frontier import (
    DrawVariance,
    FrontierDesign,
    GivenUp,
    Interim,
    chains_of,
    interim_analysis,
    predictive_power,
)

SIZES = (25, 50, 100, 200)
MODELS = ("a", "b", "c")
KEYS = [(m, s) for m in MODELS for s in SIZES]
REFERENCE = 0.8


def design(
    *, drops: bool = True, draws: int = 3, dev: int = 200, reference: str = ""
) -> FrontierDesign:
    chains = tuple((m, SIZES) for m in MODELS)
    return FrontierDesign(chains, 0.05, 0.05, draws, reference, 1, dev, 500, drops)


def follow(
    where: FrontierDesign, scores: Mapping[CellKey, float]
) -> tuple[list[CellKey], dict[CellKey, Interim], Mapping[CellKey, GivenUp]]:
    """Do what is asked for until nothing is: cells in order of search, last interims, given up."""
    interims: dict[CellKey, Interim] = {}
    order = []
    for _ in range(100):
        found = interim_analysis(where, REFERENCE, interims)
        if found.cell is None:
            return order, interims, found.given_up
        assert found.cell not in found.given_up
        score = scores[found.cell]
        if found.cell not in interims:
            order.append(found.cell)
            interims[found.cell] = Interim("tried", score)
        else:
            assert interims[found.cell].stage == "tried"
            interims[found.cell] = Interim("confirmed", score, (score,) * where.draws)
    raise AssertionError("no end")


@settings(deadline=None, max_examples=80)
@given(
    st.fixed_dictionaries(dict.fromkeys(KEYS, st.floats(0.0, 1.0))),
    st.booleans(),
    st.integers(1, 3),
)
def test_every_cell_is_confirmed_or_given_up_with_a_reason(
    scores: dict[CellKey, float], drops: bool, draws: int
) -> None:
    order, interims, given_up = follow(design(drops=drops, draws=draws), scores)
    confirmed = {r for r, interim in interims.items() if interim.stage == "confirmed"}
    assert confirmed
    assert confirmed | given_up.keys() == set(KEYS)
    assert not confirmed & given_up.keys()
    assert all(found.reason for found in given_up.values())
    assert {(m, SIZES[0]) for m in MODELS} - confirmed == {
        r for r in given_up if r[1] == SIZES[0] and given_up[r].needless
    }
    assert order == sorted(order)
    if not drops:
        assert not given_up


def test_one_sure_cell_settles_it() -> None:
    order, interims, given_up = follow(design(), dict.fromkeys(KEYS, 0.95))
    assert order == [("a", 25)]
    assert interims["a", 25].stage == "confirmed"
    assert all(found.needless for found in given_up.values())
    assert given_up["c", 200].reason == "a with n=25 is as good as sure to match"


def test_larger_models_are_tried_with_fewer_labels_only() -> None:
    scores = {(m, s): 0.95 if s >= 100 or m == "c" else 0.5 for m, s in KEYS}
    order, _, given_up = follow(design(), scores)
    assert order == [
        *[("a", s) for s in (25, 50, 100)],
        *[("b", s) for s in (25, 50)],
        ("c", 25),
    ]
    assert given_up["a", 200].needless
    assert given_up["b", 50] == GivenUp(False, "-0.300 against the reference on dev")
    assert given_up["c", 50].reason == "c with n=25 is as good as sure to match"


def test_the_reference_model_itself_makes_no_other_needless() -> None:
    order, _, given_up = follow(design(reference="a"), dict.fromkeys(KEYS, 0.95))
    assert order == [("a", 25), ("b", 25)]
    assert given_up["b", 50].reason == "b with n=25 is as good as sure to match"


def test_more_labels_may_hurt() -> None:
    humped = {(m, s): 0.85 if s == 100 else 0.5 for m, s in KEYS}
    _, interims, given_up = follow(design(), humped)
    assert interims["a", 100].stage == "confirmed"
    assert not given_up["a", 50].needless


def test_where_all_are_hopeless_the_best_is_tested_and_the_smallest_sizes() -> None:
    scores = dict.fromkeys(KEYS, 0.3) | {("b", 100): 0.4}
    order, interims, given_up = follow(design(), scores)
    assert order == KEYS
    confirmed = {r for r, interim in interims.items() if interim.stage == "confirmed"}
    assert confirmed == {("b", 100), *((m, SIZES[0]) for m in MODELS)}
    assert confirmed | given_up.keys() == set(KEYS)


def test_nothing_is_given_up_without_the_reference() -> None:
    assert interim_analysis(design(), None, {}).cell == ("a", 25)
    assert interim_analysis(design(), None, {("a", 25): Interim("searching")}).cell == ("a", 25)
    waiting = interim_analysis(design(), None, {("a", 25): Interim("tried", 0.1)})
    assert waiting.cell is None
    assert not waiting.given_up


def test_a_failed_cell_is_passed_over() -> None:
    assert interim_analysis(design(), REFERENCE, {("a", 25): Interim("failed")}).cell == ("a", 50)


@pytest.mark.parametrize("gap", [-0.08, 0.0, 0.05])
def test_predictive_power_is_the_share_of_matches(gap: float) -> None:
    """Against a simulation of its own assumptions; 4,000 runs have a standard error of 0.008."""
    where, rng = design(draws=1), np.random.default_rng(5)
    interim = Interim("tried", REFERENCE + gap)
    one = 0.6 * (interim.score * (1 - interim.score) + REFERENCE * (1 - REFERENCE))  # type: ignore[operator]
    truth = rng.normal(gap, np.sqrt(one / where.dev), 4000)
    seen = rng.normal(truth, np.sqrt(one / where.test))
    share = np.mean(seen - 1.645 * np.sqrt(one / where.test) > -where.margin)
    found = predictive_power(where, REFERENCE, interim, DrawVariance(0.0009, 4))
    assert found == pytest.approx(share, abs=3 * 0.008)


def test_chains_go_from_the_smallest_up() -> None:
    keys = [("big", 10), ("small", 20), ("small", 5)]
    assert chains_of(keys, {"big": 9, "small": 1}) == (("small", (5, 20)), ("big", (10,)))


def test_recipes_are_halved_by_three() -> None:
    assert [trials_at(8, step) for step in range(5)] == [8, 3, 1, 1, 1]
    assert trials_at(1, 3) == 1
