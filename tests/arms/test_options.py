from pathlib import Path
from typing import Any

import pytest

from medsweep.arms import check_arm, make_arm
from medsweep.corpus import Document, Span
from medsweep.errors import ConfigError, DataError
from medsweep.tasks import make_task
from tests.arms.conftest import classification


@pytest.mark.parametrize(
    ("name", "kind", "options", "says"),
    [
        ("tfdif", "ner", {}, "did you mean tfidf"),
        ("finetuned", "ner", {}, "no arm 'finetuned'"),
        ("tfidf", "ner", {"c": 1}, "this arm has no options|unknown option 'c'"),
        ("few_shot", "ner", {"selecton": "bm25"}, "did you mean selection"),
        ("few_shot", "ner", {"k": 0}, r"options\.k"),
        ("zero_shot", "ner", {"method": "likelihood"}, "use generate"),
        ("zero_shot", "multilabel", {"method": "likelihood"}, "use generate"),
        ("rules", "multilabel", {}, "options.path"),
        ("predictions", "ner", {"path": "nowhere.csv"}, "no such file"),
        ("predictions", "ner", {"path": "nowhere.xls"}, "convert"),
        ("predictions", "ner", {}, r"options\.path"),
        ("endpoint", "ner", {"url": "file:///etc/passwd", "model": "m"}, r"options\.url"),
        ("rules", "ner", {}, "give options.path"),
        ("zero_shot", "classification", {"names": {"nevr": "x"}}, "did you mean never"),
        ("rules", "classification", {}, "give options.path"),
    ],
)
def test_refused_before_training(name: str, kind: Any, options: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check_arm(name, kind, options, labels=("never", "smoker"))


def test_model_needed() -> None:
    with pytest.raises(ConfigError, match="needs a model"):
        make_arm("probe", make_task("classification", ("a", "b"), "macro_f1"))


def test_tables(tmp_path: Path) -> None:
    task, documents = make_task("classification", ("a", "b"), "macro_f1"), classification(3, 0)
    table = tmp_path / "t.csv"
    table.write_text("id,said\nd0,a\nd1,\nd2,b\nd9,b\n")
    options = {"path": table, "columns": {"doc_id": "id", "pred": "said"}}
    arm = make_arm("predictions", task, options=options)
    assert [p.label for p in arm.predict([], documents, seed=0)] == ["a", None, "b"]
    with pytest.raises(DataError, match="1 of 4 test documents"):
        arm.predict([], [*documents, *classification(1, 0, "z")], seed=0)
    with pytest.raises(DataError, match="no column 'doc_id'"):
        make_arm("predictions", task, options={"path": table})
    table.write_text("doc_id,pred\nd0,a\nd0,b\n")
    with pytest.raises(DataError, match="several rows"):
        make_arm("predictions", task, options={"path": table})
    spans = make_task("ner", ("Drug",), "span_f1")
    table.write_text('doc_id,pred\nd0,"[[0, 3, ""Drug""]]"\nd1,\nd2,nonsense\n')
    arm = make_arm("predictions", spans, options={"path": table})
    found = arm.predict([], documents[:2], seed=0)
    assert [spans.value(p) for p in found] == ['[[0, 3, "Drug"]]', ""]
    with pytest.raises(DataError, match="document d2"):
        arm.predict([], documents, seed=0)


@pytest.mark.parametrize("name", ["rules", "tfidf", "probe"])
def test_arms_without_a_place_for_attributes(name: str) -> None:
    with pytest.raises(ConfigError, match="none of their attributes"):
        check_arm(name, "ner", {}, labels=("Drug",), attributes=("dose",))


def test_tables_with_attributes(tmp_path: Path) -> None:
    task = make_task("ner", ("Drug",), "attribute_f1", ("dose",))
    table = tmp_path / "t.csv"
    table.write_text('doc_id,pred\nd0,"[[0, 3, ""Drug"", {""dose"": ""5  mg""}]]"\n')
    arm = make_arm("predictions", task, options={"path": table})
    (found,) = arm.predict([], [Document("d0", "ASS")], seed=0)
    assert found.spans == (Span(0, 3, "Drug", attributes=(("dose", "5 mg"),)),)
    gold = task.gold(Document("d0", "ASS", spans=found.spans))
    assert task.score([gold], [task.value(found)])["attribute_f1"] == 1
    # What a table of results holds is no text.
    assert "mg" not in gold
    assert task.score([gold], [task.value(found)]).keys() == {
        "span_f1",
        "macro_span_f1",
        "attribute_f1",
    }
