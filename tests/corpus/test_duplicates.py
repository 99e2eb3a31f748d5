from pathlib import Path

import pytest

from medsweep.corpus import (
    Columns,
    Document,
    Span,
    check_labels,
    deduplicate,
    read_documents,
    set_apart,
)
from medsweep.errors import DataError
from tests.corpus.conftest import CANARY


def documents(*rows: tuple[str, str], prefix: str = "d") -> list[Document]:
    return [Document(f"{prefix}{n}", text, label=label) for n, (text, label) in enumerate(rows)]


def test_nothing_to_report() -> None:
    train, test = documents(("a", "x")), documents(("b", "x"), prefix="t")
    assert deduplicate(train, test)[:2] == (train, test)
    assert deduplicate(train, test)[2].lines() == []


def test_repeats_conflicts_and_shared_texts() -> None:
    train = documents(
        ("a", "x"), (" a\n", "x"), ("b c", "x"), ("b  c", "y"), ("d", "x"), ("e", "y")
    )
    test = documents(("d", "x"), ("f", "x"), ("f", "x"), ("g", "x"), ("g", "y"), prefix="t")
    kept_train, kept_test, report = deduplicate(train, test)
    assert [d.id for d in kept_train] == ["d0", "d5"]
    assert [d.id for d in kept_test] == ["t0", "t1"]
    assert report.lines() == [
        "1 training documents left out: same text and gold as another",
        "2 training documents left out: their 1 texts occur with different gold",
        "1 test documents left out: same text and gold as another",
        "2 test documents left out: their 1 texts occur with different gold",
        "1 training documents left out: their text is a test text",
    ]


def test_mentions_are_compared_whatever_the_white_space() -> None:
    same = [
        Document("1", "ASS  100", spans=(Span(5, 8, "Dose"),)),
        Document("2", "ASS\n100", spans=(Span(4, 7, "Dose"),)),
    ]
    other = Document("3", "ASS 100", spans=(Span(0, 3, "Dose"),))
    assert [d.id for d in deduplicate(same, [])[0]] == ["1"]
    with pytest.raises(DataError, match="no document is left"):
        deduplicate([*same, other], [])


def test_evaluation_on_training_documents_is_refused() -> None:
    train = documents((CANARY, "x"), ("b", "y"), ("c", "y"))
    with pytest.raises(DataError, match="evaluation on training documents is refused") as caught:
        deduplicate(train, documents((CANARY, "x"), ("b", "y"), prefix="t"))
    assert CANARY not in str(caught.value)


def test_nothing_left_of_the_test() -> None:
    with pytest.raises(DataError, match=r"data\.test: no document is left"):
        deduplicate(documents(("a", "x")), documents(("b", "x"), ("b", "y"), prefix="t"))


def test_unknown_labels_are_named() -> None:
    train, test = documents(("a", "x")), documents(("b", "X"), ("c", "z"))
    with pytest.raises(DataError, match="'X', 'z'; correct their spelling"):
        check_labels(train, test)
    check_labels([*train, *test], test)


def test_unknown_types_are_named() -> None:
    train = [Document("1", "a", spans=(Span(0, 1, "Drug"),))]
    with pytest.raises(DataError, match="'Dose'"):
        check_labels(train, [Document("2", "b", spans=(Span(0, 1, "Dose"),))])


@pytest.mark.shared_data
def test_medical_abstracts(shared: Path) -> None:
    made = read_documents(
        shared / "cls_en_medical_abstracts" / "medical_tc_test.csv",
        kind="classification",
        columns=Columns(text="medical_abstract", label="condition_label"),
    )
    kept, _, report = deduplicate(made, [])
    assert (report.train.conflicting_texts, report.train.conflicting) == (113, 231)
    assert len(kept) == 2888 - 231


def test_dev_as_a_corpus_of_its_own_shares_no_text() -> None:
    train = [Document(f"{n}", f"text {n}", label="ab"[n % 2]) for n in range(6)]
    dev = [Document(f"{n}", f"text {n + 4}", label="a") for n in range(4)]
    test = [Document("t", "text 7", label="a")]
    learn, chosen = set_apart(train, dev, test)
    assert [d.text for d in learn] == ["text 0", "text 1", "text 2", "text 3"]
    assert [(d.id, d.text) for d in chosen] == [
        ("dev/0", "text 4"),
        ("dev/1", "text 5"),
        ("dev/2", "text 6"),
    ]
    with pytest.raises(DataError, match=r"data\.dev: the dev documents have labels .*'c'"):
        set_apart(train, [Document("x", "x", label="c")], test)
    with pytest.raises(DataError, match="no dev document has a text of its own"):
        set_apart(train, [Document("x", "text 7", label="a")], test)
    patient = [Document("x", "x", label="a", group="p")]
    with pytest.raises(DataError, match="1 groups have documents in dev and elsewhere"):
        set_apart([*train, *patient], [Document("y", "y", label="a", group="p")], test)
