from hypothesis import given
from hypothesis import strategies as st

from medsweep.corpus import Document, Span
from medsweep.corpus.strata import allocate, strata_of

CLASSES = st.dictionaries(st.text("abcdefgh", min_size=1), st.integers(1, 60), min_size=1)


@given(CLASSES, st.data())
def test_within_one_of_the_share_at_every_size(
    available: dict[str, int], data: st.DataObject
) -> None:
    total = sum(available.values())
    size = data.draw(st.integers(0, min(total, len(available) - 1)))
    for counts in (allocate(available, size), allocate(available, total)):
        placed = sum(counts.values())
        for name, count in counts.items():
            assert abs(count - placed * available[name] / total) < 1


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(10, 60), min_size=2, max_size=5))
def test_within_one_of_the_share_where_no_class_is_rare(available: dict[str, int]) -> None:
    total, counts = sum(available.values()), dict[str, int]()
    # From the size at which every class has a share of one or more.
    first = -(-total // min(available.values()))
    for size in range(first, total + 1):
        counts = allocate(available, size, start=counts)
        assert sum(counts.values()) == size
        for name, count in counts.items():
            assert abs(count - size * available[name] / total) < 1


@given(CLASSES)
def test_never_falls_and_leaves_no_class_out(available: dict[str, int]) -> None:
    before = dict.fromkeys(available, 0)
    for size in range(sum(available.values()) + 1):
        counts = allocate(available, size, start=before)
        assert sum(counts.values()) == size
        assert all(before[c] <= counts[c] <= available[c] for c in available)
        if size >= 2 * len(available):
            assert all(counts.values())
        before = counts
    assert before == available


def test_the_paradox_of_largest_remainders() -> None:
    # Largest remainders give c two places of ten and one of eleven; nested parts may not.
    available = {"a": 600, "b": 600, "c": 200}
    ten = allocate(available, 10)
    eleven = allocate(available, 11, start=ten)
    assert ten == {"a": 5, "b": 4, "c": 1}
    assert eleven == {"a": 5, "b": 5, "c": 1}


def test_strata_of_mentions_are_the_rarest_types() -> None:
    rows = [("Drug",), ("Drug", "Dose"), ("Drug", "Dose", "Form"), ()]
    documents = [
        Document(str(n), "abcdef", spans=tuple(Span(i, i + 1, t) for i, t in enumerate(types)))
        for n, types in enumerate(rows)
    ]
    assert strata_of(documents, "ner") == ["Drug", "Dose", "Form", ""]


def test_strata_of_several_labels_are_the_rarest_labels() -> None:
    rows: list[tuple[str, ...]] = [("a",), ("a", "b"), ("a", "b", "c"), ()]
    documents = [Document(str(n), "x", labels=labels) for n, labels in enumerate(rows)]
    assert strata_of(documents, "multilabel") == ["a", "b", "c", ""]
