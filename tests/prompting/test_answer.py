import json

import pytest

from medsweep.prompting.answer import anchor_spans, read_label, read_labels

NAMES = {"1": "Past  smoker", "2": "never"}


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ('{"label": "past smoker"}', "1"),
        ('Sure! {"x": 1} then {"label": "NEVER"} done', "2"),
        ('```json\n{"label": "never"}\n```', "2"),
        ("never.", "2"),
        ('{"label": "perhaps"}', None),
        ("I think never", None),
        ("", None),
        ("{" * 50, None),
    ],
)
def test_labels(answer: str, label: str | None) -> None:
    found = read_label(answer, NAMES)
    assert (found.value if found else None) == label
    assert not (found and found.salvaged)


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ('<think>{"label": "never"}, or not? never</think>\npast smoker', "1"),
        ("well, never</think> Category: Past smoker", "1"),
        ("<think>never, never, nev", None),
        ("**Category:** never", "2"),
        ("The category is: never.", "2"),
        ("Label: 'past smoker'\nbecause he stopped", "1"),
        ("{'label': 'never'}", "2"),
        ("{'label': 'never', 'sure': True, 'why': None,}", "2"),
        ('{"Category": "never"}', "2"),
        ('{"x": 1} {"answer": ["never"]}', "2"),
        ("Category: perhaps", None),
    ],
)
def test_labels_are_read_as_a_person_would(answer: str, label: str | None) -> None:
    found = read_label(answer, NAMES)
    assert (found.value if found else None) == label
    assert found is None or found.salvaged or answer.endswith("past smoker")


def _spans(answer: str, text: str) -> list[tuple[str, str]] | None:
    found = anchor_spans(answer, text, {"D": "drug", "X": "dose"})
    return None if found is None else [(text[s.start : s.end], s.type) for s in found.spans]


def test_a_place_is_taken_by_one_mention_only() -> None:
    text = "Aspirin 5 mg; aspirinlike aspirin, low dose aspirin"
    longer = '[{"text": "aspirin", "type": "drug"}, {"text": "low  dose aspirin", "type": "dose"}]'
    assert _spans(longer, text) == [("aspirin", "D"), ("low dose aspirin", "X")]
    assert _spans('[{"text": "ASPIRIN", "type": "drug"}]', "Aspirin") == [("Aspirin", "D")]
    twice = '[{"text": "a", "type": "drug"}, {"text": "a", "type": "dose"}]'
    assert _spans(twice, "a b a b a") == [("a", "D"), ("a", "X")]


@pytest.mark.parametrize("answer", ["", "none", '{"text": "a"}', "[1]", '[{"text": "a", '])
def test_no_list_is_no_answer(answer: str) -> None:
    assert _spans(answer, "a") is None


@pytest.mark.parametrize(
    "answer",
    [
        '[{"text": "aspirin", "type": "drug"}, {"text": "5 mg", "type": "dose"}, {"text": "hep',
        '[{"text": "aspirin", "type": "drug"}, {"text": "5 mg", "type": "dose"},',
        '[] [{"text": "aspirin", "type": "drug"}, {"text": "5 mg", "type": "dose"}]',
        "[{'text': 'aspirin', 'type': 'drug'}, {'text': '5 mg', 'type': 'dose'}]",
        "[{'text': 'aspirin', 'type': 'drug'}, {'text': '5 mg', 'type': 'dose'}, {'te",
        '[{"mention": "aspirin", "label": "drug"}, {"word": "5 mg", "entity": "dose"}]',
        '{"entities": [{"entity": "aspirin", "type": "drug"}, {"Text": "5 mg", "Type": "dose"}]}',
        '<think>[{"text": "x"}]</think>[] so [{"text": "aspirin", "type": "drug"}, '
        '{"text": "5 mg", "type": "dose"}]',
    ],
)
def test_lists_are_read_as_a_person_would(answer: str) -> None:
    text = "aspirin 5 mg"
    assert _spans(answer, text) == [("aspirin", "D"), ("5 mg", "X")]
    found = anchor_spans(answer, text, {"D": "drug", "X": "dose"})
    assert found is not None
    assert (found.lost, found.salvaged) == (0, True)


def test_apostrophes_and_quotes_survive_single_quotes() -> None:
    text = 'Crohn\'s disease, "water" pill'
    drug = "{'text': 'Crohn\\'s disease', 'type': 'drug'}"
    dose = "{'text': '\"water\" pill', 'type': 'dose'}"
    answer = f"[{drug}, {dose}]"
    assert _spans(answer, text) == [("Crohn's disease", "D"), ('"water" pill', "X")]
    double = """[{"text": "Crohn's disease", "type": 'drug'}]"""
    assert _spans(double, text) == [("Crohn's disease", "D")]


def test_attributes_beside_the_type_are_read() -> None:
    answer = '[{"text": "ASS", "type": "drug", "Dose": 5, "other": "x"}]'
    found = anchor_spans(answer, "ASS", {"D": "drug"}, ("dose",))
    assert found is not None
    assert found.spans[0].attributes == (("dose", "5"),)


def _anchored(text: str, *mentions: str) -> tuple[list[int], int] | None:
    answer = json.dumps([{"text": m, "type": "drug"} for m in mentions])
    found = anchor_spans(answer, text, {"D": "drug"})
    return None if found is None else ([s.start for s in found.spans], found.lost)


def test_each_entry_takes_one_place_in_order() -> None:
    text = "Aspirin 5; low dose aspirin, heparin, aspirin"
    assert _anchored(text, "aspirin") == ([20], 0)
    assert _anchored(text, "aspirin", "aspirin") == ([20, 38], 0)
    assert _anchored(text, "heparin", "aspirin") == ([29, 38], 0)
    assert _anchored(text, "low  dose\naspirin", "aspirin") == ([11, 38], 0)
    # No third one as written, so the one in another case; and no fifth in any.
    assert _anchored(text, *["aspirin"] * 3) == ([0, 20, 38], 0)
    assert _anchored(text, *["aspirin"] * 4) == ([0, 20, 38], 1)


def test_parts_of_words_come_last_and_what_is_not_there_is_counted() -> None:
    assert _anchored("Herzinsuffizienz, Herz", "Herz") == ([18], 0)
    assert _anchored("Herzinsuffizienz", "herz", "Lunge", "") == ([0], 2)
    assert anchor_spans("no list", "no list", {"D": "drug"}) is None
    assert anchor_spans('[{"text": "a", "type": "q"}]', "a", {"D": "drug"}) is not None


def test_empty_list_and_unknown_things_are_answers() -> None:
    assert _spans("[]", "a") == []
    assert _spans('[{"text": "zzz", "type": "drug"}, {"text": "a", "type": "q"}, {}]', "a") == []


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        ('Sure: {"labels": ["Drug", " dose "]}', ("dose", "drug")),
        ('{"labels": []}', ()),
        ('{"labels": ["weather"]}', ()),
        ("drug", None),
        ("[1] {}", None),
        ("<think>", None),
    ],
)
def test_sets_of_labels_are_read(answer: str, labels: tuple[str, ...] | None) -> None:
    found = read_labels(answer, {"drug": "Drug", "dose": "Dose"})
    assert (found.value if found else None) == labels
    assert not (found and found.salvaged)


@pytest.mark.parametrize(
    "answer",
    [
        '{"labels": "drug"}',
        "{'labels': ['Drug']}",
        '{"categories": ["drug"]}',
        '["Drug"]',
        "[] so: ['drug', 'weather']",
        "<think>{'labels': ['dose']}</think> {'Classes': ['drug']}",
    ],
)
def test_sets_of_labels_are_read_as_a_person_would(answer: str) -> None:
    found = read_labels(answer, {"drug": "Drug", "dose": "Dose"})
    assert found is not None
    assert (found.value, found.salvaged) == (("drug",), True)


def test_attributes_are_read_and_stay_with_their_mention() -> None:
    answer = """[{"text": "aspirin", "type": "drug", "attributes": {"Dose": 5, "other": "x"}},
        {"text": "aspirin", "type": "drug", "attributes": {"dose": "10  mg", "negation": false}},
        {"text": "aspirin", "type": "drug", "attributes": "none"}]"""
    text, names = "aspirin aspirin aspirin", {"drug": "Drug"}
    asked = ("dose", "negation")
    wanted = [(("dose", "5"),), (("dose", "10 mg"), ("negation", "false")), ()]
    placed = anchor_spans(answer, text, names, asked)
    assert placed is not None
    assert [s.attributes for s in placed.spans] == wanted
    bare = anchor_spans(answer, text, names)
    assert bare is not None
    assert [s.attributes for s in bare.spans] == [(), (), ()]
