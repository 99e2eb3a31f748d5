from __future__ import annotations

import json
import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from medsweep.errors import ConfigError, DataError
from medsweep.stats.bootstrap import resample
from medsweep.stats.metrics import count_outcomes, score

LABELS = ["a", "b", "c"]
PAIRS = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS, "other", ""])),
    min_size=1,
    max_size=30,
)


@given(PAIRS)
@settings(max_examples=100, deadline=None)
def test_label_metrics_equal_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    gold, pred = [g for g, _ in pairs], [p for _, p in pairs]
    macro = f1_score(gold, pred, labels=sorted(set(gold)), average="macro", zero_division=0)
    assert score("classification", gold, pred, "macro_f1") == pytest.approx(macro)
    micro = f1_score(gold, pred, average="micro")
    assert score("classification", gold, pred, "micro_f1") == pytest.approx(micro)
    assert score("classification", gold, pred, "accuracy") == accuracy_score(gold, pred)


@given(PAIRS, st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_weights_equal_a_metric_on_repeated_documents(
    pairs: list[tuple[str, str]], seed: int
) -> None:
    gold, pred = [g for g, _ in pairs], [p for _, p in pairs]
    weights = resample(len(gold), 3, np.random.default_rng(seed))
    counts = count_outcomes("classification", gold, [pred, gold], "macro_f1")
    for row, (first, second) in zip(weights, counts.scores(weights), strict=True):
        at = np.repeat(np.arange(len(gold)), row.astype(int))
        labels = sorted(set(gold))
        again = [gold[i] for i in at]
        expected = f1_score(
            again, [pred[i] for i in at], labels=labels, average="macro", zero_division=0
        )
        assert first == pytest.approx(expected, abs=1e-6)
        perfect = f1_score(again, again, labels=labels, average="macro", zero_division=0)
        assert second == pytest.approx(perfect, abs=1e-6)


SETS = st.lists(
    st.tuples(st.sets(st.sampled_from(LABELS)), st.sets(st.sampled_from([*LABELS, "other"]))),
    min_size=1,
    max_size=30,
)


@given(SETS)
@settings(max_examples=100, deadline=None)
def test_metrics_of_label_sets_equal_scikit_learn(pairs: list[tuple[set[str], set[str]]]) -> None:
    names = [*LABELS, "other"]
    truth, guess = (
        np.array([[n in s for n in names] for s in side]) for side in zip(*pairs, strict=True)
    )
    gold, pred = ([json.dumps(sorted(s)) for s in side] for side in zip(*pairs, strict=True))
    micro = f1_score(truth, guess, average="micro", zero_division=0)
    assert score("multilabel", gold, pred, "micro_f1") == pytest.approx(micro)
    there = [i for i in range(len(names)) if truth[:, i].any()]
    macro = f1_score(truth, guess, labels=there, average="macro", zero_division=0) if there else 0
    assert score("multilabel", gold, pred, "macro_f1") == pytest.approx(macro)
    exact = accuracy_score(truth, guess)
    assert score("multilabel", gold, pred, "exact_match") == pytest.approx(exact)


def test_an_unreadable_set_of_labels_is_not_the_empty_one() -> None:
    assert score("multilabel", ["[]", '["a"]'], ["", '["a"]'], "exact_match") == 0.5
    with pytest.raises(DataError, match="document 0: pred") as caught:
        score("multilabel", ["[]"], ['[["SECRET"]]'], "micro_f1")
    assert "SECRET" not in str(caught.value)


def spans(*rows: tuple[object, ...]) -> str:
    return json.dumps([list(r) for r in rows])


def test_span_f1_is_strict_on_offsets_and_type() -> None:
    gold = [spans((0, 4, "Drug"), (5, 9, "Dose")), spans((3, 7, "Drug")), spans()]
    pred = [spans((0, 4, "Drug"), (5, 8, "Dose")), spans((3, 7, "Dose")), spans((1, 2, "Drug"))]
    # 1 hit, 4 predicted, 3 gold.
    assert score("ner", gold, pred, "span_f1") == pytest.approx(2 / 7)
    # Drug: 1 hit, 2 predicted, 2 gold; Dose: 0 hits.
    assert score("ner", gold, pred, "macro_span_f1") == pytest.approx(0.25)


def draw_spans(rng: random.Random, tokens: int = 12) -> list[tuple[int, int, str]]:
    """Spans of one or two tokens with a gap behind each."""
    rows, at = [], 0
    while at < tokens - 1:
        length, kind = rng.randint(1, 2), rng.choice("AB")
        if rng.random() < 0.5 and at + length <= tokens:
            rows.append((at, at + length, kind))
        at += length + 1
    return rows


def test_span_f1_equals_seqeval_on_bio_tags() -> None:
    # seqeval 1.2.2 (no wheel, hence not installed here), the spans below as IOB2 tags of 12 tokens:
    # >>> [f1_score(gold, pred, average=a, mode="strict", scheme=IOB2) for a in ("micro", "macro")]
    # [0.6137566137566138, 0.6166666666666667]
    rng = random.Random(3)
    gold = [draw_spans(rng) for _ in range(40)]
    pred = [draw_spans(rng) if rng.random() < 0.5 else rows for rows in gold]
    columns = [spans(*rows) for rows in gold], [spans(*rows) for rows in pred]
    assert score("ner", *columns, "span_f1") == pytest.approx(0.6137566137566138)
    assert score("ner", *columns, "macro_span_f1") == pytest.approx(0.6166666666666667)


def test_attributes_count_by_field_and_value() -> None:
    gold = [
        spans((0, 4, "Drug", {"dose": "5 mg", "negation": "true"})),
        spans((0, 9, "Drug", [[0, 3], [6, 9]], {"dose": "1 g"}), (10, 12, "Drug")),
    ]
    pred = [
        spans((0, 4, "Drug", {"dose": "5 mg", "negation": "false"})),
        spans((0, 9, "Drug", {"dose": "1 g"}), (10, 12, "Drug", {"dose": "2 g"})),
    ]
    # 1 hit, 4 predicted, 3 gold; the mentions are scored as without attributes.
    assert score("ner", gold, pred, "attribute_f1") == pytest.approx(2 / 7)
    assert score("ner", gold, pred, "span_f1") == pytest.approx(4 / 6)
    assert score("ner", gold, [gold[0], ""], "attribute_f1") == pytest.approx(4 / 5)


def test_a_discontinuous_span_needs_the_same_fragments() -> None:
    gold = [spans((0, 9, "X", [[0, 3], [6, 9]]))]
    assert score("ner", gold, gold, "span_f1") == 1
    assert score("ner", gold, [spans((0, 9, "X"))], "span_f1") == 0


def test_unparsable_output_is_wrong_and_never_better_than_a_wrong_guess() -> None:
    gold = ["a", "a", "b"]
    for metric in ("micro_f1", "accuracy"):
        assert score("classification", gold, ["a", "", "b"], metric) == pytest.approx(2 / 3)
    assert score("ner", [spans((0, 1, "X"))], [""], "span_f1") == 0


@pytest.mark.parametrize("kind", ["classification", "multilabel", "ner"])
def test_wrong_metric_is_a_config_error(kind: str) -> None:
    with pytest.raises(ConfigError, match="no metric of"):
        score(kind, ["a"], ["a"], "bleu")


def test_malformed_values_are_named_by_document_and_not_quoted() -> None:
    with pytest.raises(DataError) as caught:
        count_outcomes("ner", ["[]"], [['[["SECRET"]]']], "span_f1", ["doc-7"])
    assert "doc-7" in str(caught.value)
    assert "SECRET" not in str(caught.value)
    with pytest.raises(DataError, match="gold label is empty"):
        score("classification", [""], ["a"], "accuracy")
    with pytest.raises(DataError, match="2 gold values but 1"):
        score("classification", ["a", "b"], ["a"], "accuracy")
    with pytest.raises(DataError, match="no document"):
        score("classification", [], [], "accuracy")


def test_groups_add_up() -> None:
    counts = count_outcomes("classification", list("aabb"), [list("abbb")], "macro_f1")
    grouped = counts.grouped(np.array([0, 1, 1, 0]))
    assert grouped.documents == 2
    assert grouped.scores() == pytest.approx(counts.scores())
    one = np.array([[2, 0]], dtype=np.float32)
    both = np.array([[2, 0, 0, 2]], dtype=np.float32)
    assert grouped.scores(one) == pytest.approx(counts.scores(both))


def test_many_groups_take_no_more_memory_than_their_documents() -> None:
    gold = ["a", "b"] * 15_000
    counts = count_outcomes("classification", gold, [gold], "accuracy")
    tracemalloc.start()
    grouped = counts.grouped(np.arange(30_000) // 2)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grouped.documents == 15_000
    assert most < 16 << 20
