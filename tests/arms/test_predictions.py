from pathlib import Path

import pytest

from medsweep.arms import make_arm
from medsweep.corpus import Document, Span
from medsweep.errors import DataError
from medsweep.tasks import make_task
from tests.documents import classification


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


def test_values_of_attributes_are_compared_as_labels_are(tmp_path: Path) -> None:
    task = make_task("ner", ("Drug",), "attribute_f1", ("dose",))
    table = tmp_path / "t.jsonl"
    table.write_text('{"doc_id": "d0", "pred": [[0, 3, "Drug ", {"dose ": 5.0}]]}\n')
    (found,) = make_arm("predictions", task, options={"path": table}).predict(
        [], [Document("d0", "ASS")], seed=0
    )
    gold = task.gold(Document("d0", "ASS", spans=(Span(0, 3, "Drug", (), (("dose", "5"),)),)))
    assert task.value(found) == gold


def test_lists_in_parquet(tmp_path: Path) -> None:
    import pandas as pd

    task = make_task("multilabel", ("1", "b"), "micro_f1")
    table = pd.DataFrame({"doc_id": [1.0, 2.0], "pred": [["1.0", "b"], []]})
    table.to_parquet(tmp_path / "t.parquet")
    arm = make_arm("predictions", task, options={"path": tmp_path / "t.parquet"})
    found = arm.predict([], [Document("1", ""), Document("2", "")], seed=0)
    assert [p.labels for p in found] == [("1", "b"), ()]
