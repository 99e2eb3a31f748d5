from medsweep.arms import make_arm
from medsweep.corpus import Document, Span
from medsweep.tasks import make_task

TASK = make_task("ner", ("Drug", "Dose"), "span_f1")


def document(text: str, *mentions: tuple[str, str]) -> Document:
    """Mentions at their first place."""
    spans = [Span(text.index(m), text.index(m) + len(m), kind) for m, kind in mentions]
    return Document(text, text, spans=tuple(sorted(spans)))


def found(train: list[Document], text: str) -> list[tuple[str, str]]:
    (prediction,) = make_arm("dictionary", TASK).predict(train, [Document("q", text)], seed=0)
    return [(text[s.start : s.end], s.type) for s in prediction.spans or ()]


def test_the_longest_mention_is_taken_in_any_case_and_spacing() -> None:
    train = [document("ASS 100 mg, ASS", ("ASS 100 mg", "Drug")), document("ass", ("ass", "Dose"))]
    assert found(train, "Ass  100mg; ASS, Kasse") == [("Ass  100mg", "Drug"), ("ASS", "Dose")]
    assert found(train, "x ASS 100") == [("ASS", "Dose")]


def test_the_most_frequent_type_wins_and_the_first_by_name_among_equals() -> None:
    drug, dose = document("iron", ("iron", "Drug")), document("iron", ("iron", "Dose"))
    assert found([drug, drug, dose], "iron") == [("iron", "Drug")]
    assert found([drug, dose], "iron") == [("iron", "Dose")]


def test_what_teaches_nothing_is_passed_over() -> None:
    pieces = Document("p", "left arm", spans=(Span(0, 8, "Drug", ((0, 1), (7, 8))),))
    unknown = document("iron", ("iron", "Other"))
    assert found([pieces, unknown, Document("u", "iron")], "left arm iron") == []
    assert found([], "iron") == []


def test_an_entry_at_the_end_of_a_text_is_found_once() -> None:
    train = [document("beta blocker", ("beta blocker", "Drug")), document("a", ("a", "Dose"))]
    assert found(train, "a beta blocker") == [("a", "Dose"), ("beta blocker", "Drug")]
    assert found(train, "beta blocker beta") == [("beta blocker", "Drug")]
