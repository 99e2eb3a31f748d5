"""The verdict's words claim no more than was shown."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from medsweep.report import headline, sentences, words
from medsweep.report.limitations import limitations
from tests.report.simulate import SWEEP, predictions, verdict


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return predictions(sizes=(100, 200), lift=0.2)


@pytest.fixture(scope="module")
def found(table: pd.DataFrame) -> dict[str, Any]:
    return verdict(table)


def test_shown_is_what_was_shown(found: dict[str, Any]) -> None:
    said = headline(found)
    assert said.startswith("The smallest model shown to match the reference")
    assert "(500 documents, 3 draws; reference: 3; adjusted p" in said
    best = found["smallest"]
    assert ("Fewer labels were not tried." in said) == (best["train_size"] == 100)


def test_smaller_models_did_not_fail(table: pd.DataFrame) -> None:
    worse = table.copy()
    worse.loc[worse["model"].eq("minilm") & worse["arm"].eq("finetuned"), "pred"] = "unknown"
    assert "Smaller models are not shown to match, which is not to fail." in headline(
        verdict(worse)
    )


def test_a_plain_system_comes_first(table: pd.DataFrame) -> None:
    rules = table[(table["arm"] == "finetuned") & (table["model"] == "llama-3.1-8b")]
    rules = rules[rules["draw"] == 0].assign(arm="rules", model="", train_size=0)
    said = headline(verdict(pd.concat([table, rules])))
    assert said.startswith("The simplest system shown to match the reference")
    assert "is rules with no training labels: macro F1" in said
    assert "The smallest tuned model shown to match" in said


def test_a_reference_at_the_majority_is_told(table: pd.DataFrame) -> None:
    said = headline(verdict(table, reference={"arm": "majority"}, metric="accuracy"))
    assert said.startswith("Nothing is said to match: the reference (majority class)")


def test_only_a_sweep_fixes_its_margin_beforehand(found: dict[str, Any]) -> None:
    assert "fixed beforehand" in " ".join(sentences.methods(found, SWEEP))
    assert "fixed beforehand" not in " ".join(sentences.methods(found, None))


@pytest.mark.parametrize(
    ("number", "told", "method"),
    [
        (None, "cannot be kept (No space left on device)", "was not recorded."),
        (1, None, "no earlier verdict on its documents is on record."),
        (3, "This is the third verdict on these test documents", "it was the third verdict"),
    ],
)
def test_the_sentence_on_the_test_set_follows_from_the_ledger(
    found: dict[str, Any], number: int | None, told: str | None, method: str
) -> None:
    problem = "No space left on device" if number is None else None
    judged = {**found, "judged": {"number": number, "problem": problem, "earlier": []}}
    said = sentences.judged(judged)
    assert (said is None) if told is None else (said is not None and told in said)
    assert method in sentences.methods(judged, SWEEP)[0]
    assert sentences.judged(found) is None
    assert "was not recorded" in sentences.methods(found, SWEEP)[0]


def test_ordinals_are_words_up_to_ten() -> None:
    numbers = (1, 10, 11, 12, 21, 22, 23, 24, 111)
    wanted = ["first", "tenth", "11th", "12th", "21st", "22nd", "23rd", "24th", "111th"]
    assert [words.ordinal(n) for n in numbers] == wanted


@pytest.mark.parametrize(("metric", "tango"), [("accuracy", True), ("macro_f1", False)])
def test_what_decided_is_named(metric: str, tango: bool) -> None:
    table = predictions(documents=100, sizes=(50,), draws=1)
    told = sentences.methods(verdict(table, metric=metric), None)[1]
    assert ("Tango" in told) == tango
    assert ("bootstrap" in told) == (not tango)


def test_untrained_systems_are_decided_by_tango_where_others_are_not() -> None:
    table = predictions(documents=100, sizes=(50,), draws=2)
    rules = table[(table["arm"] == "tfidf") & (table["draw"] == 0)]
    both = pd.concat([table, rules.assign(arm="rules", model="", train_size=0)])
    big = (both["model"] == "llama-3.1-8b") & (both["draw"] > 0)
    told = sentences.methods(verdict(both[~big], metric="accuracy"), None)[1]
    assert "bootstrap" in told
    assert "nothing was trained it was that of Tango's score interval" in told


def test_the_references_own_training_is_told(found: dict[str, Any]) -> None:
    own = {**SWEEP, "reference": {"arm": "finetuned", "trials": 4}}
    told = sentences.methods(found, own)[0]
    assert "The reference was chosen of 4 configurations at 200 labelled documents" in told
    assert "trained on 3 draws" in told


def test_the_limits_say_what_the_bound_leaves_out(found: dict[str, Any]) -> None:
    told = " ".join(limitations(found))
    assert "another search or another dev set" in told
    assert "a new draw does with a chance of at least 37 %" in told


def test_all_labelled_documents_are_a_claim_about_these(table: pd.DataFrame) -> None:
    lifted = table[(table["arm"] != "finetuned") | (table["train_size"] == 200)]
    said = headline(verdict(lifted, pool=200))
    assert "this labelled set alone" in said
