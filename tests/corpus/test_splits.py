from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsweep.corpus import Document, Span, folds, hold_out, leaking_groups
from medsweep.errors import DataError
from tests.corpus.conftest import labelled


def grouped(documents: list[Document], size: int) -> list[Document]:
    """Patients with ``size`` documents each, of any label."""
    order = sorted(documents, key=lambda d: hash_of(d.id))
    return [replace(d, group=f"p{n // size}") for n, d in enumerate(order)]


def hash_of(name: str) -> int:
    return sum(ord(c) * 31**n for n, c in enumerate(name)) % 1009


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(2, 40), min_size=1),
    st.floats(0.05, 0.5),
    st.integers(0, 9),
)
@settings(deadline=None)
def test_hold_out_is_exact_without_groups(counts: dict[str, int], share: float, seed: int) -> None:
    documents = labelled(counts)
    rest, held = hold_out(documents, share, kind="classification", seed=seed)
    assert len(held) == max(1, round(share * len(documents)))
    assert {d.id for d in rest} | {d.id for d in held} == {d.id for d in documents}
    assert {d.label for d in rest} == set(counts)
    if len(held) < len(counts):
        return
    # Every class is judged; those rarer than one in the part are given one by the others.
    assert {d.label for d in held} == set(counts)


def test_hold_out_is_proportional_and_keeps_the_order() -> None:
    documents = labelled({"a": 60, "b": 30, "c": 10})
    rest, held = hold_out(documents, 20, kind="classification", seed=3)
    assert Counter(d.label for d in held) == {"a": 12, "b": 6, "c": 2}
    assert [d for d in documents if d in held] == held
    assert [d for d in documents if d in rest] == rest
    _, again = hold_out(documents[::-1], 20, kind="classification", seed=3)
    assert {d.id for d in again} == {d.id for d in held}
    _, other = hold_out(documents, 20, kind="classification", seed=4)
    assert {d.id for d in other} != {d.id for d in held}


@pytest.mark.parametrize("seed", range(5))
def test_hold_out_tears_no_group(seed: int) -> None:
    documents = grouped(labelled({"a": 60, "b": 30, "c": 10}), 4)
    rest, held = hold_out(documents, 0.2, kind="classification", seed=seed)
    assert not leaking_groups(rest, held)
    assert 15 <= len(held) <= 25
    assert {d.label for d in rest} == {"a", "b", "c"}


def test_hold_out_spreads_rare_types() -> None:
    documents = [
        Document(
            f"{n}", "abc", spans=(Span(0, 1, "common"), *([Span(1, 2, "rare")] if n < 10 else []))
        )
        for n in range(100)
    ]
    _, held = hold_out(documents, 0.2, kind="ner", seed=0)
    assert sum(s.type == "rare" for d in held for s in d.spans or ()) == 2


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        (6, "cannot hold out 6 of 6 documents"),
        (0, "cannot hold out 0 of 6"),
        (1.0, "a share of 1"),
        (-0.5, "a share of -0.5"),
        (5, "leaves a class without one"),
    ],
)
def test_amounts_that_do_not_fit(amount: float, says: str) -> None:
    with pytest.raises(DataError, match=says):
        hold_out(labelled({"a": 3, "b": 3}), amount, kind="classification", seed=0)


def test_groups_that_are_too_large() -> None:
    documents = labelled({"a": 50, "b": 50}, {"a": "p1", "b": "p2"})
    with pytest.raises(DataError, match="groups are too large"):
        hold_out(documents, 0.1, kind="classification", seed=0)


def test_folds_judge_every_document_once() -> None:
    documents = labelled({"a": 33, "b": 17, "c": 10})
    divided = folds(documents, 5, kind="classification", seed=0)
    assert sorted(d.id for _, judged in divided for d in judged) == sorted(d.id for d in documents)
    for rest, judged in divided:
        assert len(judged) == 12
        assert not {d.id for d in rest} & {d.id for d in judged}
        assert Counter(d.label for d in judged)["c"] == 2
    assert divided == folds(documents[::-1], 5, kind="classification", seed=0)
    assert divided != folds(documents, 5, kind="classification", seed=1)


def test_folds_tear_no_group() -> None:
    documents = grouped(labelled({"a": 60, "b": 40}), 5)
    for rest, judged in folds(documents, 4, kind="classification", seed=0):
        assert not leaking_groups(rest, judged)
        assert 15 <= len(judged) <= 35


def test_folds_of_mentions_where_all_types_are_rare() -> None:
    documents = [Document(f"{n}", "ab", spans=(Span(0, 1, f"t{n}"),)) for n in range(6)]
    assert [len(judged) for _, judged in folds(documents, 3, kind="ner", seed=0)] == [2, 2, 2]


@pytest.mark.parametrize(
    ("documents", "says"),
    [
        (labelled({"a": 2, "b": 1}), "4 folds need as many documents, and there are 3"),
        (labelled({"a": 3, "b": 3}, {"a": "p1", "b": "p2"}), "as many groups, and there are 2"),
        (labelled({"a": 9, "b": 1}), "all documents of label 'b' fall into one fold"),
    ],
)
def test_folds_that_do_not_fit(documents: list[Document], says: str) -> None:
    with pytest.raises(DataError, match=says):
        folds(documents, 4, kind="classification", seed=0)


def test_leaking_groups() -> None:
    a = [Document("1", "a", group="p1"), Document("2", "b", group="p2"), Document("3", "c")]
    b = [Document("4", "d", group="p2"), Document("5", "e")]
    assert leaking_groups(a, b) == {"p2"}
