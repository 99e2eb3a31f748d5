import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medsweep.corpus import Columns, Document, Span, read_documents, scan, write_jsonl
from medsweep.corpus._base import Changes
from medsweep.corpus.readers._spans import BOM, tidy
from medsweep.corpus.write import to_row
from medsweep.errors import DataError

Put = Callable[[str, str], Path]


def test_reads_labels_and_groups_and_numbers_documents_without_an_id(put: Put) -> None:
    path = put(
        "n.jsonl", '\ufeff{"text": "a b", "label": 3, "group": "p1"}\n\n{"id": 7, "text": "c"}'
    )
    first, second = scan(path)
    assert (first.id, first.label, first.group, first.source) == ("n-1", "3", "p1", "n.jsonl:1")
    assert (second.id, second.label, second.spans, second.source) == ("7", None, None, "n.jsonl:3")


def test_offsets_are_code_points_and_fragments_are_kept(put: Put) -> None:
    entities = [
        {"start": 2, "end": 5, "type": "Drug"},
        {"spans": [[0, 1], [6, 9]], "type": "Dose"},
        {"spans": [[2, 5]], "type": "Drug"},
    ]
    path = put("n.jsonl", json.dumps({"text": "💊 ASS 100", "entities": entities}))
    (document,) = read_documents(path, kind="ner")
    assert document.spans == (
        Span(0, 9, "Dose", ((0, 1), (6, 9))),
        Span(2, 5, "Drug"),
    )
    assert document.text[2:5] == "ASS"


def test_no_entities_is_annotated_and_none_is_not(put: Put) -> None:
    rows = [{"text": "a", "entities": []}, {"text": "b", "entities": None}]
    path = put("n.ndjson", "\n".join(map(json.dumps, rows)))
    assert [d.spans for d in scan(path)] == [(), None]


def test_other_keys(put: Put) -> None:
    path = put("n.jsonl", '{"note": "a", "status": "x"}')
    (document,) = read_documents(
        path, kind="classification", columns=Columns(text="note", label="status")
    )
    assert (document.text, document.label) == ("a", "x")


def test_a_unicode_line_separator_does_not_end_a_line(put: Put) -> None:
    path = put("n.jsonl", '{"text": "a\u2028b\x85c"}\n')
    assert [d.text for d in scan(path)] == ["a\u2028b\x85c"]


NAMES = st.text("abcäß-_ 9", min_size=1, max_size=8).map(str.strip).filter(bool)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda t: t.replace(BOM, "").strip()
)


@st.composite
def documents(draw: st.DrawFn) -> list[Document]:
    made = []
    for number in range(draw(st.integers(1, 5))):
        text = draw(TEXTS)
        spans: set[Span] = set()
        for _ in range(draw(st.integers(0, 3))):
            marks = sorted(draw(st.sets(st.integers(0, len(text)), min_size=2, max_size=6)))
            pieces = tuple(zip(marks[::2], marks[1::2], strict=False))
            fragments = pieces if len(pieces) > 1 else ()
            spans.add(Span(pieces[0][0], pieces[-1][1], draw(NAMES), fragments))
        document = Document(
            f"d{number}",
            text,
            label=draw(st.none() | NAMES),
            spans=draw(st.sampled_from([None, tuple(spans)])),
            group=draw(st.none() | NAMES),
        )
        made.append(tidy(document, Changes()))
    return made


@given(documents())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_is_read_again(tmp_path: Path, made: list[Document]) -> None:
    path = tmp_path / "round.jsonl"
    write_jsonl(made, path)
    assert list(scan(path)) == made
    assert [to_row(d) for d in scan(path)] == [to_row(d) for d in made]


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ('["b", "a", "b"]', ("a", "b")),
        ("[]", ()),
        ("[3]", ("3",)),
        ('"a; b"', ("a", "b")),
        ("null", None),
    ],
)
def test_several_labels(put: Put, value: str, labels: tuple[str, ...] | None) -> None:
    (document,) = scan(put("n.jsonl", f'{{"text": "x", "labels": {value}}}\n'))
    assert document.labels == labels


@pytest.mark.parametrize("value", ["{}", "[[]]", "1.5", '["a", {}]', '"[a"'])
def test_what_is_no_list_of_labels(put: Put, value: str) -> None:
    with pytest.raises(DataError, match=r"n.jsonl:1"):
        list(scan(put("n.jsonl", f'{{"text": "x", "labels": {value}}}\n')))


def test_attributes_of_mentions(put: Put) -> None:
    attributes = '{"dose": " 5  mg", "negation": true, "n": 2, "none": null}'
    entity = f'{{"start": 0, "end": 3, "type": "D", "attributes": {attributes}}}'
    row = f'{{"text": "ASS", "entities": [{entity}]}}'
    (document,) = scan(put("n.jsonl", row))
    (span,) = document.spans or ()
    assert span.attributes == (("dose", "5 mg"), ("n", "2"), ("negation", "true"))
    with pytest.raises(DataError, match="attributes is not an object"):
        list(scan(put("n.jsonl", row.replace(attributes, "[]"))))
    with pytest.raises(DataError, match=r"jsonl:1: an attribute holds half of a surrogate pair"):
        list(scan(put("n.jsonl", row.replace("5  mg", "5\\udcb5g"))))


def entities(put: Put, text: str, *made: dict[str, object]) -> tuple[Document, Counter[str]]:
    changes: Counter[str] = Counter()
    path = put("n.jsonl", json.dumps({"text": text, "entities": made}))
    (document,) = scan(path, changes=changes, max_misplaced=1.0)
    return document, changes


@pytest.mark.parametrize("key", ["text", "surface"])
def test_an_entity_that_says_its_text_is_put_where_it_stands(put: Put, key: str) -> None:
    one = {"start": 5, "end": 8, "type": "D", key: "ASS"}
    document, changes = entities(put, "nimmt ASS 100", one)
    assert document.spans == (Span(6, 9, "D"),)
    assert changes == {"mentions moved to where their text is": 1}
    document, changes = entities(put, "nimmt ASS 100", one | {"start": 6, "end": 9})
    assert (document.spans, changes) == ((Span(6, 9, "D"),), {})


@pytest.mark.parametrize(
    ("text", "start", "said"),
    [("ASS oder ASS", 5, "ASS"), ("nimmt ASS", 6, "Iscover"), ("ASS", 90, "ASS")],
)
def test_an_entity_whose_text_is_in_no_or_several_places_is_left_out(
    put: Put, text: str, start: int, said: str
) -> None:
    one = {"start": start, "end": start + len(said), "type": "D", "text": said}
    document, changes = entities(put, text, one)
    assert document.spans == ()
    assert changes == {"mentions left out: their text is not at their place": 1}


def test_offsets_in_utf_16_are_told_by_the_texts_of_entities(put: Put) -> None:
    said = [("ASS", 3), ("Herz", 8)]
    made = [{"start": a, "end": a + len(t), "type": "D", "text": t} for t, a in said]
    document, changes = entities(put, "😊 ASS, Herz", *made)
    assert [document.text[s.start : s.end] for s in document.spans or ()] == ["ASS", "Herz"]
    assert changes.total() == 2


def test_what_is_lost_of_entities_and_labels_counts(put: Put) -> None:
    said = {"dose": [5], "unit": {"of": "mg"}, "none": None, " a ": "1", "a": "2", " ": "x"}
    one = {"start": 0, "end": 3, "type": "D", "text": None}
    document, changes = entities(put, "ASS", one, one, one | {"attributes": said})
    assert document.spans == (Span(0, 3, "D"), Span(0, 3, "D", attributes=(("a", "1"),)))
    assert changes == {"spans with the same place and type joined": 1, "attributes left out": 4}
    changes = Counter()
    (document,) = scan(
        put("n.jsonl", '{"text": "x", "labels": ["a", "a", "", " b ", null]}'), changes=changes
    )
    assert document.labels == ("a", "b")
    assert changes == {"empty labels left out": 2, "labels given twice joined": 1}
