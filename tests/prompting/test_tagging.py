from medsweep.corpus import Document, Span
from medsweep.prompting.tagging import untaggable, words_of


def test_letters_and_digits_are_words_apart_and_accents_stay() -> None:
    text = "ASS100mg, Mu\u0308ller_2"
    assert [text[a:b] for a, b in words_of(text)] == [
        "ASS", "100", "mg", ",", "Mu\u0308ller", "_", "2",
    ]  # fmt: skip


def test_what_no_tag_can_say_is_counted() -> None:
    nested = Document("a", "acute renal failure", spans=(Span(0, 19, "D"), Span(6, 11, "O")))
    pieces = Document("b", "left and right arm", spans=(Span(0, 18, "A", ((0, 4), (15, 18))),))
    within = Document("c", "Nierenversagen", spans=(Span(0, 6, "O"),))
    plain = Document("d", "20mg", spans=(Span(0, 2, "N"), Span(2, 4, "U")))
    assert [untaggable([d]) for d in (nested, pieces, within, plain)] == [1, 1, 1, 0]
    assert untaggable([nested, pieces, within, plain, Document("e", "text")]) == 3
