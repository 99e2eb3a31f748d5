"""What is claimed of which system: all of a table, or the tuned ones."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from scipy import stats

from medsweep.errors import ConfigError
from medsweep.stats.claims import chance_of_another
from medsweep.stats.systems import complexity
from tests.stats.test_decide import World, run


def table(plain: float, tuned: float = 0.9, draws: int = 3) -> pd.DataFrame:
    """A reference of 0.9, lines of keywords, TF-IDF and a probe of two sizes, a tuned model."""
    world = World()
    parts = [world.predict("zero_shot", "huge", None, 0, 0.9)]
    parts += [world.predict("rules", None, None, 0, plain)]
    parts += [world.predict("majority", None, None, 0, 0.5)]
    for size in (50, 200):
        for draw in range(draws):
            parts += [world.predict("tfidf", None, size, draw, 0.7)]
            parts += [world.predict("probe", "small", size, draw, 0.9 - 20 / size)]
            parts += [world.predict("finetuned", "small", size, draw, tuned)]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("draws", [1, 3])
def test_the_simplest_system_that_matches_is_named_before_the_smallest_model(draws: int) -> None:
    found = run(table(0.9, draws=draws))
    assert found.simplest is not None
    assert found.smallest is not None
    assert (found.simplest.arm, found.simplest.labels_used) == ("rules", 0)
    assert found.simplest.claim == "system"
    assert (found.smallest.arm, found.smallest.model) == ("finetuned", "small")
    by = {(a.arm, a.train_size): a for a in found.arms}
    assert by["rules", None].non_inferior
    assert by["tfidf", 200].non_inferior is False
    # The reference and the floor are no candidates.
    assert by["zero_shot", None].non_inferior is by["majority", None].non_inferior is None
    assert by["finetuned", 200].p_adjusted is not None


def test_a_worse_plain_system_is_passed_over() -> None:
    found = run(table(0.7))
    assert found.simplest is not None
    assert found.simplest.arm == "finetuned"
    assert found.smallest is not None
    assert found.simplest.train_size == found.smallest.train_size == 50


def test_a_plain_system_may_match_where_no_tuned_one_does() -> None:
    found = run(table(0.9, tuned=0.6))
    assert found.smallest is None
    assert found.simplest is not None
    assert found.simplest.arm == "rules"
    assert "no cell is shown" in (found.reason or "")


def test_baselines_may_be_left_descriptive() -> None:
    every, tuned = run(table(0.9)), run(table(0.9), systems="tuned")
    by = {a.arm: a for a in tuned.arms}
    for arm in ("rules", "tfidf", "probe"):
        assert (by[arm].non_inferior, by[arm].p_adjusted, by[arm].claim) == (None, None, None)
    assert tuned.simplest is not None
    assert tuned.simplest.arm == "finetuned"
    # One correction over all of them: a share of alpha for each system.
    first, alone = every.cells[-1], tuned.cells[-1]
    assert first.p_value == alone.p_value
    assert (first.p_adjusted or 0) > (alone.p_adjusted or 0)
    with pytest.raises(ConfigError, match=r"decide\.systems"):
        run(table(0.9), systems="some")


def test_the_order_of_systems() -> None:
    rising: list[tuple[Any, ...]] = [
        ("rules", None, 0, 0.5),
        ("dictionary", None, 100, 0.5),
        ("tfidf", None, 50, 0.9),
        ("tfidf", None, 200, 0.9),
        ("probe", 22, 50, 0.9),
        ("finetuned", 22, 50, 0.9),
        ("finetuned", 22, 200, 0.9),
        ("zero_shot", 135, 0, 0.9),
        ("few_shot-bm25", 135, 50, 0.9),
        ("finetuned", 8_000, 50, 0.9),
        ("endpoint", None, 0, 0.9),
    ]
    assert sorted(rising, key=lambda s: complexity(*s)) == rising


def test_a_collapsed_draw_forbids_a_claim_about_the_mean() -> None:
    frame = table(0.7, tuned=0.97, draws=6)
    bad = (frame.arm == "finetuned") & (frame.train_size == 200) & (frame.draw == 4)
    frame.loc[bad, "pred"] = "never"
    found = {c.train_size: c for c in run(frame, margin=0.28).cells}
    assert found[200].p_adjusted is not None
    assert found[200].p_adjusted <= 0.05
    assert found[200].non_inferior is False
    assert "draw 4 collapsed" in (found[200].reason or "")
    assert (found[200].draws_below, found[50].draws_below) == (1, 0)
    assert found[50].new_draw == pytest.approx(0.05 ** (1 / 6))
    assert found[200].new_draw < found[50].new_draw


@pytest.mark.parametrize(("good", "draws"), [(3, 3), (2, 3), (5, 6)])
def test_the_chance_of_a_new_draw_is_clopper_and_pearsons(good: int, draws: int) -> None:
    exact = stats.binomtest(good, draws, alternative="greater").proportion_ci(0.95, "exact").low
    assert chance_of_another(good, draws, 0.05) == pytest.approx(exact)
    assert chance_of_another(0, draws, 0.05) == 0


def test_draws_of_all_documents_speak_of_these_documents() -> None:
    found = {c.train_size: c for c in run(table(0.7), pool=200).cells}
    assert (found[50].claim, found[200].claim) == ("n_labels", "labelled_set")
    assert "this labelled set" in (found[200].reason or "")
