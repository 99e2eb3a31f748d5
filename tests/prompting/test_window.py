import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsweep.corpus import Document, Span
from medsweep.prompting.prompt import Prompts
from medsweep.prompting.window import (
    OVERLAP,
    TextWindow,
    character_windows,
    document_answer,
    text_windows,
)
from medsweep.tasks import make_task
from medsweep.tasks._base import TaskKind

NER = make_task("ner", ("A", "B"), "span_f1")


def prompts(kind: TaskKind = "ner") -> Prompts:
    labels, metrics = ("A", "B"), {"ner": "span_f1", "classification": "accuracy"}
    task = make_task(kind, labels, metrics.get(kind, "micro_f1"))
    return Prompts.of(task, names={}, instruction=None, as_json=True)


@given(st.lists(st.text("ab", min_size=1, max_size=9), min_size=1, max_size=60), st.integers(8, 60))
def test_characters_are_covered_by_windows_that_overlap(words: list[str], most: int) -> None:
    text = " ".join(words)
    windows = character_windows(text, most)
    assert (windows[0].start, windows[-1].end) == (0, len(text))
    for one in windows:
        assert one.end - one.start <= most
    for one, later in pairwise(windows):
        assert one.start < later.start <= one.end < later.end


@given(st.data())
def test_mentions_that_fit_into_the_overlap_come_back_once_each(data: st.DataObject) -> None:
    """Windows joined give the mentions put in, whatever the borders: nested and equal ones, too."""
    words = data.draw(st.lists(st.text("abc", min_size=1, max_size=5), min_size=8, max_size=50))
    text = " ".join(words)
    most = data.draw(st.integers(40, 80))
    spans = set()
    for _ in range(data.draw(st.integers(0, 6))):
        first = data.draw(st.integers(0, len(words) - 1))
        last = data.draw(st.integers(first, min(first + 1, len(words) - 1)))
        start = len(" ".join(words[:first])) + (first > 0)
        end = len(" ".join(words[: last + 1]))
        # What is no longer than half of what two windows share is whole in one that judges it.
        if end - start <= OVERLAP * most / 2:
            spans.add(Span(start, end, data.draw(st.sampled_from("AB"))))
    document = Document("d", text, spans=tuple(sorted(spans)))
    parts = [(part, _answer(document, part)) for part in character_windows(text, most)]
    answer = document_answer(document, parts, prompts())
    # Answers give texts, not places: of equal mentions only as many places can be known.
    assert answer.valid
    if _places_are_unique(document):
        assert answer.prediction.spans == document.spans


def _answer(document: Document, part: TextWindow) -> str:
    inside = (s for s in document.spans or () if part.start <= s.start and s.end <= part.end)
    return json.dumps([{"text": document.text[s.start : s.end], "type": s.type} for s in inside])


def _places_are_unique(document: Document) -> bool:
    """Each mention's text occurs once, as a whole word or within one, or over another one."""
    text, spans = document.text, document.spans or ()
    once = all(text.find(text[s.start : s.end], s.start + 1) < 0 for s in spans)
    first = all(text.find(text[s.start : s.end]) == s.start for s in spans)
    return once and first and len({(s.start, s.end) for s in spans}) == len(spans)


@pytest.mark.parametrize("length", [5, 12, 30, 45])
def test_a_mention_longer_than_half_the_overlap_is_the_later_windows(length: int) -> None:
    places = [(0, 100), (50, 150)]
    first, second = text_windows(places)
    for start in range(150 - length):
        span = Span(start, start + length, "A")
        whole = [s for s in (first, second) if s.start <= start and start + length <= s.end]
        assert sum(s.judges(span) for s in whole) == 1, start


def test_labels_are_what_most_windows_say() -> None:
    document, part = Document("d", "text"), TextWindow(0, 4)

    def label(*answers: str) -> str | None:
        parts = [(part, answer) for answer in answers]
        return document_answer(document, parts, prompts("classification")).prediction.label

    assert label('{"label": "A"}', '{"label": "B"}', '{"label": "B"}') == "B"
    assert label('{"label": "A"}', '{"label": "B"}') == "A"
    assert label("none", '{"label": "B"}') == "B"
    assert label("none") is None

    def labels(*answers: str) -> tuple[str, ...] | None:
        parts = [(part, answer) for answer in answers]
        return document_answer(document, parts, prompts("multilabel")).prediction.labels

    assert labels('{"labels": ["A"]}', '{"labels": []}', '{"labels": ["A", "B"]}') == ("A",)
    assert labels("none", '{"labels": []}') == ()
    assert labels("none") is None


def test_a_list_that_lacks_a_part_is_no_answer() -> None:
    parts = [(TextWindow(0, 4), '[{"text": "text", "type": "A"}]'), (TextWindow(4, 8), "?")]
    answer = document_answer(Document("d", "text more"), parts, prompts())
    assert (answer.valid, answer.prediction.spans, answer.kept) == (False, None, 1)
