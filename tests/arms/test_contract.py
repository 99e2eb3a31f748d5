"""What every arm promises, put to each of them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medsweep.arms import ARMS, Arm, make_arm
from medsweep.arms.endpoint import Endpoint
from medsweep.corpus import Document
from medsweep.models import ModelFolder, resolve
from medsweep.tasks import Task, make_task
from tests.arms.server import serving
from tests.documents import classification, multilabel, ner, without_gold

LABELS = ("former", "never", "smoker")
NAMES = tuple(ARMS)


def _task(kind: str) -> Task:
    if kind == "classification":
        return make_task("classification", LABELS, "macro_f1")
    if kind == "multilabel":
        return make_task("multilabel", LABELS, "micro_f1")
    return make_task("ner", ("Drug",), "span_f1")


def _documents(kind: str) -> tuple[list[Document], list[Document]]:
    if kind == "classification":
        return classification(24, 1), classification(7, 2, "t")
    if kind == "multilabel":
        return multilabel(24, 1), multilabel(7, 2, "t")
    return ner(12), ner(7, "t")


@pytest.fixture(
    params=[
        (name, kind)
        for name in NAMES
        for kind in ("classification", "multilabel", "ner")
        if name != "dictionary" or kind == "ner"
    ],
    ids=str,
)
def case(
    request: pytest.FixtureRequest, tmp_path: Path, tiny_bert: Path, decoder: ModelFolder
) -> Iterator[tuple[Arm, Task, list[Document], list[Document]]]:
    name, kind = request.param
    task, (train, test) = _task(kind), _documents(kind)
    options: dict[str, Any] = {}
    model = resolve(str(tiny_bert)) if name == "probe" else decoder
    if name == "rules":
        rules = tmp_path / "rules.yaml"
        rules.write_text(
            {
                "classification": "default: smoker\nrules: [{label: never, pattern: denies}]",
                "multilabel": "rules: [{label: never, pattern: denies}]",
                "ner": "rules: [{type: Drug, pattern: '(aspirin|insulin)'}]",
            }[kind]
        )
        options = {"path": str(rules)}
    if name == "predictions":
        table = tmp_path / "table.jsonl"
        table.write_text(
            "".join(json.dumps({"doc_id": d.id, "pred": task.gold(d)}) + "\n" for d in test)
        )
        options = {"path": str(table)}
    if name == "few_shot":
        options = {"k": 2, "example_length": 16}
    if name in ("zero_shot", "few_shot") and kind != "classification":
        options["max_new_tokens"] = 8
    if name == "endpoint":
        answers = {"classification": '{"label": "never"}', "multilabel": '{"labels": ["never"]}'}
        answer = answers.get(kind, "[]")
        with serving(lambda _: (200, answer)) as (url, _):
            yield (
                make_arm(name, task, options={"url": url, "model": "m", "k": 2}),
                task,
                train,
                test,
            )
        return
    yield make_arm(name, task, model=model, options=options), task, train, test


def test_predicts_every_document_in_order_and_alike_twice(
    case: tuple[Arm, Task, list[Document], list[Document]], capfd: pytest.CaptureFixture[str]
) -> None:
    arm, task, train, test = case
    first = arm.predict(train, without_gold(test), seed=3)
    arm.predict(train[:5], without_gold(test), seed=4)
    again = arm.predict(train, without_gold(test), seed=3)
    assert [p.doc_id for p in first] == [d.id for d in test]
    assert [task.value(p) for p in first] == [task.value(p) for p in again]
    if task.kind == "classification":
        assert {p.label for p in first} <= {*LABELS, None}
        for p in first:
            assert not p.scores or sum(p.scores.values()) == pytest.approx(1, abs=1e-5)
    elif task.kind == "multilabel":
        assert all(set(p.labels or ()) <= set(LABELS) for p in first)
        if isinstance(arm, Endpoint):
            assert {p.labels for p in first} == {("never",)}
    else:
        for p, d in zip(first, test, strict=True):
            assert all(0 <= s.start < s.end <= len(d.text) for s in p.spans or ())
    shown = "".join(capfd.readouterr())
    assert not any(d.text in shown for d in [*train, *test])


def test_nothing_to_predict(case: tuple[Arm, Task, list[Document], list[Document]]) -> None:
    arm, _, train, _ = case
    assert arm.predict(train, [], seed=0) == []


def test_empty_text_and_one_class(case: tuple[Arm, Task, list[Document], list[Document]]) -> None:
    arm, task, train, test = case
    empty = Document(test[0].id, "")
    one = [d for d in train if (d.label, d.labels) == (train[0].label, train[0].labels)]
    assert len(arm.predict(one, [empty], seed=0)) == 1
    assert isinstance(task.value(arm.predict(one, [empty], seed=0)[0]), str)


def test_labels_that_share_a_document_are_told_apart(tiny_bert: Path) -> None:
    task, train, test = _task("multilabel"), *_documents("multilabel")
    for name in ("tfidf", "probe"):
        arm = make_arm(name, task, model=resolve(str(tiny_bert)))
        found = [task.value(p) for p in arm.predict(multilabel(90, 3), without_gold(test), seed=0)]
        assert task.score([task.gold(d) for d in test], found)["micro_f1"] > 0.7, name
    # Two documents in three have each label.
    (first, *_) = make_arm("majority", task).predict(train, test, seed=0)
    assert first.labels == LABELS
    assert set(first.scores.values()) == {2 / 3}


def test_arms_import_no_torch() -> None:
    code = (
        "import sys; from medsweep.arms import check_arm; "
        "check_arm('few_shot', 'ner', {}); check_arm('rules', 'classification', {}); "
        "assert not {'torch', 'transformers', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
