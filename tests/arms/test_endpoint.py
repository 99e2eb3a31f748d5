import json
import threading
from typing import Any

import pytest

from medsweep.arms import make_arm
from medsweep.arms.endpoint import Endpoint
from medsweep.corpus import Document, Span
from medsweep.errors import ConfigError, RunError
from medsweep.tasks import make_task
from tests.arms.server import CUT, serving
from tests.documents import classification, ner

TASK = make_task("classification", ("former", "never", "smoker"), "macro_f1")


def _arm(url: str, **options: Any) -> Endpoint:
    options = {"url": url, "model": "big", "backoff_s": 0.01, **options}
    arm = make_arm("endpoint", TASK, options=options)
    assert isinstance(arm, Endpoint)
    return arm


def test_asks_counts_and_sends_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "abc")

    def answer(body: dict[str, Any]) -> tuple[int, str]:
        last = body["messages"][-1]["content"]
        return 200, json.dumps({"label": "NEVER"}) if "denies" in last else "who knows"

    documents = classification(12, 1)
    with serving(answer) as (url, seen):
        arm = _arm(url, api_key_env="SOME_KEY")
        found = arm.predict([], documents, seed=7)
    expected = ["never" if "denies" in d.text else None for d in documents]
    assert [p.label for p in found] == expected
    assert not arm.trains
    assert len(seen) == 12
    assert {s["path"] for s in seen} == {"/v1/chat/completions"}
    assert {(s["key"], s["model"], s["temperature"], s["seed"]) for s in seen} == {
        ("Bearer abc", "big", 0, 7)
    }


def test_retries_until_the_server_recovers() -> None:
    left, lock = [503, 429, 500], threading.Lock()

    def answer(_: dict[str, Any]) -> tuple[int, str]:
        with lock:
            return (left.pop(), "") if left else (200, '{"label": "former"}')

    with serving(answer) as (url, seen):
        arm = _arm(url, concurrency=2)
        found = arm.predict([], classification(5, 1), seed=0)
    assert {p.label for p in found} == {"former"}
    assert len(seen) == 3 + 5


@pytest.mark.parametrize(("status", "asked"), [(401, 1), (503, 3), (302, 1)])
def test_gives_up_without_text(status: int, asked: int) -> None:
    documents = classification(1, 1)
    with (
        serving(lambda body: (status, body["messages"][0]["content"])) as (url, seen),
        pytest.raises(RunError, match=f"document d0 .HTTP {status}") as caught,
    ):
        _arm(url, retries=2).predict([], documents, seed=0)
    assert len(seen) == asked
    assert documents[0].text not in str(caught.value)
    assert caught.value.__suppress_context__


def test_no_server_and_no_key() -> None:
    with pytest.raises(RunError, match="URLError"):
        _arm("http://127.0.0.1:9", retries=0).predict([], classification(1, 1), seed=0)
    with pytest.raises(ConfigError, match="NO_SUCH_KEY is not set"):
        _arm("http://127.0.0.1:9", api_key_env="NO_SUCH_KEY")


def test_examples_and_spans() -> None:
    task = make_task("ner", ("Drug",), "span_f1")

    def answer(body: dict[str, Any]) -> tuple[int, str]:
        assert [m["role"] for m in body["messages"]] == ["user", "assistant"] * 2 + ["user"]
        return 200, body["messages"][1]["content"]

    train, test = ner(3), ner(3, "t")
    with serving(answer) as (url, _):
        options = {"url": url, "model": "m", "k": 2, "selection": "bm25"}
        arm = make_arm("endpoint", task, options=options)
        found = arm.predict(train, test, seed=0)
    assert arm.trains
    assert all(p.spans is not None for p in found)


def test_a_constrained_request_has_the_schema() -> None:
    bodies = []

    def answer(body: dict[str, Any]) -> tuple[int, str]:
        bodies.append(body)
        return 200, json.dumps({"label": "never"})

    with serving(answer) as (url, _):
        _arm(url, constrained=True).predict([], classification(1, 1), seed=0)
        _arm(url).predict([], classification(1, 1), seed=0)
    schema = bodies[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["label"]["enum"] == list(TASK.labels)
    assert "response_format" not in bodies[1]


def test_an_answer_at_its_limit_is_told_and_whole_objects_are_kept() -> None:
    task = make_task("ner", ("Drug",), "span_f1")
    spans = tuple(Span(4 * i, 4 * i + 3, "Drug") for i in range(300))
    train = [Document("long", "ASS " * 300, spans=spans)]

    def answer(body: dict[str, Any]) -> tuple[int, str]:
        whole = "second" not in body["messages"][-1]["content"]
        said = '[{"text": "ASS", "type": "Drug"}'
        return 200, f"{said}]" if whole else f'{CUT}{said}, {{"text": "'

    documents = [Document("a", "first ASS"), Document("b", "second ASS")]
    with serving(answer) as (url, seen):
        for options in ({}, {"max_tokens": 7}):
            arm = make_arm("endpoint", task, options={"url": url, "model": "m", **options})
            found = arm.predict(train, documents, seed=0)
            assert [p.spans for p in found] == [(Span(6, 9, "Drug"),), (Span(7, 10, "Drug"),)]
            assert [(p.cut, p.salvaged) for p in found] == [(False, False), (True, True)]
        _arm(url).predict([], documents, seed=0)
    # 300 objects of 33 bytes and two of punctuation, at half a token a byte, and a half more.
    assert [body["max_tokens"] for body in seen] == [7457, 7457, 7, 7, 1024, 1024]
