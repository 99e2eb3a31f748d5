import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsweep.corpus import Document, Span, build_ladder, hold_out
from medsweep.corpus.strata import allocate
from medsweep.errors import DataError
from tests.corpus.conftest import labelled


@st.composite
def corpora(draw: st.DrawFn) -> tuple[dict[str, int], list[int]]:
    counts = draw(
        st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 30), min_size=2, max_size=5)
    )
    sizes = st.integers(len(counts), sum(counts.values()))
    return counts, draw(st.lists(sizes, min_size=1, max_size=5))


@given(corpora(), st.integers(0, 2**31))
@settings(deadline=None)
def test_nested_exact_and_stratified(corpus: tuple[dict[str, int], list[int]], seed: int) -> None:
    counts, sizes = corpus
    ladder = build_ladder(labelled(counts), sizes, 2, kind="classification", seed=seed)
    assert ladder.sizes == tuple(sorted(set(sizes)))
    for draw in range(2):
        before: set[str] = set()
        shares: dict[str, int] = {}
        for size in ladder.sizes:
            subset = ladder.subset(draw, size)
            ids = {d.id for d in subset}
            assert len(subset) == len(ids) == size
            assert before <= ids
            shares = allocate(counts, size, start=shares)
            assert Counter(d.label for d in subset) == shares
            assert min(shares.values()) >= 1
            before = ids


def test_draws_differ_and_are_repeated_by_the_seed() -> None:
    documents = labelled({"a": 40, "b": 20})
    ladder = build_ladder(documents, [10, 20], 3, kind="classification", seed=1)
    again = build_ladder(documents[::-1], [20, 10], 3, kind="classification", seed=1)
    more = build_ladder(documents, [10, 20], 5, kind="classification", seed=1)
    other = build_ladder(documents, [10, 20], 3, kind="classification", seed=2)
    draws = [ladder.subset(d, 10) for d in range(3)]
    assert (
        draws == [again.subset(d, 10) for d in range(3)] == [more.subset(d, 10) for d in range(3)]
    )
    sets = {frozenset(d.id for d in s) for s in [*draws, other.subset(0, 10)]}
    assert len(sets) == 4


def test_sizes_mix_the_classes_in_their_order() -> None:
    ladder = build_ladder(labelled({"a": 50, "b": 50}), [40], 1, kind="classification", seed=0)
    labels = "".join(d.label or "" for d in ladder.subset(0, 40))
    assert "a" * 15 not in labels


def test_the_i2b2_ladder_holds_every_class() -> None:
    counts = {"PAST": 36, "CURRENT": 35, "SMOKER": 9, "NON-SMOKER": 66, "UNKNOWN": 252}
    ladder = build_ladder(labelled(counts), [25, 50, 398], 1, kind="classification", seed=0)
    assert Counter(d.label for d in ladder.subset(0, 50))["SMOKER"] == 1
    assert Counter(d.label for d in ladder.subset(0, 398)) == counts


def mentions(types: list[str]) -> list[Document]:
    return [
        Document(f"{n}", f"text {n}", spans=(Span(0, 2, t),) if t else ())
        for n, t in enumerate(types)
    ]


def test_mentions_may_be_fewer_than_types() -> None:
    documents = mentions([*"abcdefgh", *[""] * 20])
    ladder = build_ladder(documents, [3, 12], 1, kind="ner", seed=0)
    types = {s.type for d in ladder.subset(0, 12) for s in d.spans or ()}
    assert types == set("abcdefgh")


@pytest.mark.parametrize(
    ("counts", "sizes", "labels", "says"),
    [
        ({"a": 3, "b": 3}, [4, 7], (), "of 7, but only 6 documents are left"),
        ({"a": 3, "b": 3}, [0], (), "below 1"),
        ({"a": 9, "b": 9, "c": 1}, [2, 9], (), "of 2 leaves classes such as 'c'"),
        ({"a": 9, "b": 9}, [9], ("a", "b", "c", "d"), "the label 'c', nor 1 others"),
        ({"a": 9}, [9], (), "the same label"),
    ],
)
def test_what_cannot_be_drawn(
    counts: dict[str, int], sizes: list[int], labels: tuple[str, ...], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        build_ladder(labelled(counts), sizes, 1, kind="classification", seed=0, labels=labels)


def test_no_mention_at_all() -> None:
    with pytest.raises(DataError, match="no training document has an entity"):
        build_ladder(mentions(["", ""]), [1], 1, kind="ner", seed=0)


def test_a_size_that_is_not_of_the_ladder() -> None:
    ladder = build_ladder(labelled({"a": 3, "b": 3}), [4], 1, kind="classification", seed=0)
    with pytest.raises(ValueError, match="none of the sizes"):
        ladder.subset(0, 5)


def test_every_size_holds_every_label_near_its_share() -> None:
    rng = random.Random(1)
    shares = {"a": 0.6, "b": 0.3, "c": 0.1, "d": 0.03}
    documents = [
        Document(
            f"{n}", f"text {n}", labels=tuple(x for x, p in shares.items() if rng.random() < p)
        )
        for n in range(400)
    ]
    rest, held = hold_out(documents, 100, kind="multilabel", seed=0)
    ladder = build_ladder(rest, [25, 100], 5, kind="multilabel", seed=0, labels=tuple(shares))
    counts = Counter(x for d in documents for x in d.labels or ())
    found = Counter(x for d in held for x in d.labels or ())
    assert all(abs(found[x] / 100 - n / 400) < 0.1 for x, n in counts.items())
    learnt = Counter(x for d in rest for x in d.labels or ())
    for draw, size in itertools.product(range(5), (25, 100)):
        found = Counter(x for d in ladder.subset(draw, size) for x in d.labels or ())
        for name, count in learnt.items():
            assert found[name] >= 1
            # Drawn at random, the number of a in 25 has a standard deviation of more than 2.
            assert abs(found[name] - size * count / 300) < 2
    assert set(ladder.subset(0, 25)) < set(ladder.subset(0, 100))
    again = build_ladder(rest, [25], 5, kind="multilabel", seed=0)
    assert [again.subset(n, 25) for n in range(5)] == [ladder.subset(n, 25) for n in range(5)]
    assert ladder.subset(0, 25) != ladder.subset(1, 25)


def test_no_label_at_all() -> None:
    documents = [Document("1", "a", labels=()), Document("2", "b", labels=())]
    with pytest.raises(DataError, match="no training document has a label"):
        build_ladder(documents, [1], 1, kind="multilabel", seed=0)
