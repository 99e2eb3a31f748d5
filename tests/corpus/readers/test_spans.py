from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsweep.corpus import Document, Span
from medsweep.corpus._base import Changes
from medsweep.corpus.readers._spans import BLANK, BOM, EDGES, EMPTY, EQUAL, MARKS, PIECES, tidy

Fragments = tuple[tuple[int, int], ...]


def span(*pieces: tuple[int, int], type_: str = "T") -> Span:
    return Span(pieces[0][0], pieces[-1][1], type_, pieces if len(pieces) > 1 else ())


@pytest.mark.parametrize(
    ("text", "spans", "expected", "counted"),
    [
        ("a Fever b", [span((1, 8))], [span((2, 7))], {EDGES: 1}),
        (f"a {BOM}Fever\u00a0{BOM}", [span((2, 10))], [span((3, 8))], {EDGES: 1}),
        ("right\n arm", [span((0, 5), (7, 10))], [span((0, 10))], {PIECES: 1}),
        ("right arm", [span((0, 5), (5, 6), (6, 9))], [span((0, 9))], {EDGES: 1, PIECES: 1}),
        (
            "left \nor right arm",
            [span((0, 4), (6, 14), (15, 18))],
            [span((0, 18))],
            {PIECES: 1},
        ),
        (
            "left or right arm",
            [span((0, 5), (13, 14), (14, 17))],
            [span((0, 4), (14, 17))],
            {EDGES: 1},
        ),
        ("a  b", [span((1, 3)), span((0, 1))], [span((0, 1))], {BLANK: 1}),
        ("a", [span((1, 1)), span((0, 0), (1, 1))], [], {EMPTY: 2}),
        ("a b", [span((0, 2)), span((0, 1)), span((2, 3))], None, {EDGES: 1, EQUAL: 1}),
        (f"{BOM}a b", [span((0, 2)), span((3, 4))], [span((0, 1)), span((2, 3))], None),
        (f"\n{BOM} {BOM} a", [span((5, 6)), span((0, 2))], [span((1, 2))], {MARKS: 1, BLANK: 1}),
    ],
)
def test_what_a_model_can_give_back(
    text: str, spans: list[Span], expected: list[Span] | None, counted: dict[str, int] | None
) -> None:
    changes = Changes()
    made = tidy(Document("1", text, spans=tuple(spans)), changes)
    assert made.spans == tuple([span((0, 1)), span((2, 3))] if expected is None else expected)
    assert changes == ({MARKS: 1, EDGES: 1} if counted is None else counted)


def test_other_parts_stay_as_they_are() -> None:
    document = Document("1", " a", label="x", group="g", labels=("y",), source="n.jsonl:1")
    changes = Changes()
    assert tidy(document, changes) == document
    assert tidy(document, changes).source == "n.jsonl:1"
    marked = replace(document, text=f"{BOM} a")
    assert (tidy(marked, changes).text, tidy(marked, changes).spans) == (" a", None)
    assert changes == {MARKS: 2}


@st.composite
def annotated(draw: st.DrawFn) -> Document:
    text = draw(st.text(st.sampled_from(f"ab \n\r\t\u00a0{BOM}"), min_size=1, max_size=20))
    spans = []
    for _ in range(draw(st.integers(0, 4))):
        cuts = draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=6).map(sorted))
        pieces = tuple(zip(cuts[::2], cuts[1::2], strict=False))
        attributes = draw(st.sampled_from([(), (("dose", "x"),)]))
        spans.append(
            replace(span(*pieces, type_=draw(st.sampled_from("AB"))), attributes=attributes)
        )
    return Document("1", text, spans=tuple(spans))


@given(annotated())
def test_letters_stay_and_nothing_is_left_to_tidy(document: Document) -> None:
    changes = Changes()
    made = tidy(document, changes)
    assert made.spans is not None
    assert document.text.endswith(made.text)
    assert _words(made) == {w for w in _words(document) if w[0]}
    for found in made.spans:
        pieces = found.fragments or ((found.start, found.end),)
        edges = [made.text[i] for a, b in pieces for i in (a, b - 1)]
        assert not any(e.isspace() or e == BOM for e in edges)
    again = Changes()
    assert tidy(made, again) == made
    assert again == {}
    if not changes:
        assert made == replace(document, spans=tuple(sorted(document.spans or ())))


def _words(document: Document) -> set[tuple[str, str, object]]:
    """Letters, type and attributes of mentions."""
    return {
        (
            "".join(
                c
                for a, b in s.fragments or ((s.start, s.end),)
                for c in document.text[a:b]
                if c in "ab"
            ),
            s.type,
            s.attributes,
        )
        for s in document.spans or ()
    }
