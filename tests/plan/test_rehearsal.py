"""What the verdict would refuse is refused by the plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsweep.config import load_sweep
from medsweep.errors import DataError
from medsweep.plan.build import make_plan
from medsweep.plan.plan import Plan
from tests.conftest import write_jsonl

Make = Callable[..., Plan]


def rows(name: str, count: int, labels: tuple[str, ...] = ("a", "b"), **more: Any) -> list[Any]:
    return [
        {"id": f"{name}{i}", "text": f"{name} {i}", "label": labels[i % len(labels)], **more}
        for i in range(count)
    ]


@pytest.fixture
def plan(sweep_file: Callable[..., Path], tmp_path: Path) -> Make:
    """The plan of a sweep over these documents; other keywords as in ``sweep_file``."""

    def make(train: list[Any], test: list[Any], **keys: Any) -> Plan:
        keys = {"arms": ["majority"], "reference": {"arm": "tfidf"}, "train_sizes": [20], **keys}
        path = sweep_file(**keys)
        write_jsonl(tmp_path / "train.jsonl", train)
        write_jsonl(tmp_path / "test.jsonl", test)
        return make_plan(load_sweep(path))

    return make


def test_test_documents_of_one_patient(plan: Make) -> None:
    with pytest.raises(DataError, match=r"test.jsonl: the 30 test documents are all of one group"):
        plan(rows("train", 60), rows("test", 30, group="p1"))
    with pytest.raises(DataError, match="one test document"):
        plan(rows("train", 60), rows("test", 1))


def test_partly_filled_groups_are_told(plan: Make) -> None:
    tests = [*rows("test", 20, group="p1"), *rows("other", 80)]
    notes = plan(rows("train", 60), tests).notes
    assert any(n.startswith("80 of 100 test documents have no group") for n in notes)


def test_a_class_that_gold_writes_otherwise(plan: Make) -> None:
    train = rows("train", 60, ("angina", "Angina", "none"))
    with pytest.raises(DataError, match="trained on it: predicts 'angina', which gold writes 'Ang"):
        plan(train, rows("test", 30, ("Angina", "none")))
    with pytest.raises(DataError, match="gold has the labels 'angina' and 'Angina'"):
        plan(train, rows("test", 30, ("Angina", "none", "angina")))


def test_no_entity_in_the_test_documents(plan: Make) -> None:
    entities = [{"start": 0, "end": 5, "type": "Drug"}]
    train = [{"id": f"d{i}", "text": f"train {i}", "entities": entities} for i in range(60)]
    tests = [{"id": f"t{i}", "text": f"test {i}", "entities": []} for i in range(30)]
    keys = {"task": "ner"}
    with pytest.raises(DataError, match=r"test.jsonl: no document has any entity type"):
        plan(train, tests, **keys)


def test_what_no_model_could_show_is_told(plan: Make) -> None:
    (note,) = (n for n in plan(rows("train", 60), rows("test", 30, ("a",))).notes if "error" in n)
    assert note.startswith("all test documents have the same gold; not even models without an err")
    notes = plan(rows("train", 60), rows("test", 12)).notes
    assert any("not even models without an error would be shown to match" in n for n in notes)
    notes = plan(rows("train", 60), rows("test", 400)).notes
    assert not any("not even models" in n for n in notes)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ([("test0", "a"), ("test1", "b")], "28 of 30 test documents have no row"),
        ([(f"test{i}", "class-1") for i in range(30)], "0 of its 30 labels are gold's"),
        ([(f"test{i}", "first_one") for i in range(30)], "predicts 'first_one', which gold writes"),
        ([(f"Test{i}", "b") for i in range(30)], "such as test0; Test0 only looks different"),
    ],
)
def test_tables_of_predictions(
    plan: Make, tmp_path: Path, table: list[tuple[str, str]], problem: str
) -> None:
    path = write_jsonl(tmp_path / "t.jsonl", [{"doc_id": i, "pred": p} for i, p in table])
    labels = ("first one", "b")
    reference = {"arm": "predictions", "options": {"path": str(path)}}
    with pytest.raises(DataError, match=problem) as error:
        plan(rows("train", 60, labels), rows("test", 30, labels), reference=reference)
    assert "t.jsonl" in str(error.value)


def test_numbers_are_one_class_in_every_file(plan: Make, tmp_path: Path) -> None:
    lines = ["doc_id,pred", *(f" {i}.0 ,{float(i % 2)}" for i in range(100))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    train = [{"id": f"x{i}", "text": f"train {i}", "label": float(i % 2)} for i in range(60)]
    tests = [{"id": i, "text": f"test {i}", "label": i % 2} for i in range(100)]
    reference = {"arm": "predictions", "options": {"path": str(tmp_path / "t.csv")}}
    made = plan(train, tests, reference=reference)
    assert made.workload.labels == ("0", "1")
    assert set(made.gold.values()) == {"0", "1"}
    assert sorted(made.gold)[:2] == ["0", "1"]
