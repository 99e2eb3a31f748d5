"""Labels and ids that only look different, in every kind of task."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsweep.errors import DataError
from medsweep.stats.decide import decide
from medsweep.stats.spelling import check_gold, check_names
from medsweep.stats.values import label_text, look

SYSTEMS = (("finetuned", "small", 50, 0.6), ("zero_shot", "huge", None, 0.95))


def table(values: list[Any], wrong: Any = "", documents: int = 60) -> pd.DataFrame:
    """A candidate that is right in 60 % and a reference that is right in 95 %."""
    rng = np.random.default_rng(3)
    gold = rng.integers(0, len(values), documents)
    ease = rng.random(documents)
    rows = []
    for arm, model, size, share in SYSTEMS:
        for i, g in enumerate(gold):
            miss = values[(g + 1) % len(values)] if wrong == "" else wrong
            pred = values[g] if ease[i] < share else miss
            rows.append((arm, model, size, 0, i, values[g], pred))
    columns = ["arm", "model", "train_size", "draw", "doc_id", "gold", "pred"]
    return pd.DataFrame(rows, columns=columns)


def run(frame: pd.DataFrame, task: str, metric: str) -> dict[str, Any]:
    return decide(
        frame, task=task, metric=metric, reference={"arm": "zero_shot"}, margin=0.05
    ).to_dict()


METRICS = [
    ("classification", "accuracy"),
    ("classification", "macro_f1"),
    ("multilabel", "micro_f1"),
    ("multilabel", "exact_match"),
    ("ner", "span_f1"),
]


def as_value(task: str, label: Any) -> Any:
    if task == "classification":
        return label
    return json.dumps([label] if task == "multilabel" else [[0, 4, label]], ensure_ascii=False)


@pytest.mark.parametrize(("task", "metric"), METRICS)
@pytest.mark.parametrize("who", ["both", "reference"])
@pytest.mark.parametrize(
    ("gold", "pred"),
    [([1, 2, 3], [1.0, 2.0, 3.0]), (["a", "é"], ["a ", "é"]), (["1", "2"], ["1.0", " 2.0"])],
)
def test_the_same_label_is_the_same_however_it_is_written(
    task: str, metric: str, who: str, gold: list[Any], pred: list[Any]
) -> None:
    frame = table([as_value(task, label) for label in gold])
    written = {as_value(task, g): as_value(task, p) for g, p in zip(gold, pred, strict=True)}
    expected = run(frame, task, metric)
    other = frame["pred"].map(written).astype(object)
    mask = (frame["arm"] == "zero_shot") | (who == "both")
    frame["pred"] = frame["pred"].astype(object).where(~mask, other)
    found = run(frame, task, metric)
    for key in ("cells", "arms", "reference"):
        assert found[key] == expected[key]
    assert found["reference"]["score"] > 0.9
    assert found["fewest_labels"] is None


def test_one_missing_prediction_changes_no_label(tmp_path: Any) -> None:
    frame = table([1, 2, 3])
    frame["pred"] = frame["pred"].astype(float)
    frame.loc[5, "pred"] = np.nan
    for read, name in ((pd.read_csv, "p.csv"), (pd.read_parquet, "p.parquet")):
        getattr(frame, "to_csv" if name.endswith("csv") else "to_parquet")(tmp_path / name)
        found = run(read(tmp_path / name), "classification", "accuracy")
        assert found["reference"]["score"] > 0.9
        assert found["fewest_labels"] is None


@pytest.mark.parametrize(("task", "metric"), METRICS)
@pytest.mark.parametrize(
    ("gold", "pred"),
    [("Drug", "DRUG"), ("past smoker", "past_smoker"), ("7", "07"), ("a b", "a\u00a0b"),
     ("Typ-1", "typ\u20131"), ("pain", "pa\u200bin")],
)  # fmt: skip
def test_what_only_looks_alike_is_refused_by_name(
    task: str, metric: str, gold: str, pred: str
) -> None:
    frame = table([as_value(task, label) for label in (gold, "other")])
    spoilt = (frame["arm"] == "finetuned") & (frame["pred"] == as_value(task, gold))
    frame["pred"] = frame["pred"].where(~spoilt, as_value(task, pred))
    with pytest.raises(DataError, match="finetuned small n=50: predicts") as caught:
        run(frame, task, metric)
    assert repr(pred) in str(caught.value)
    assert repr(gold) in str(caught.value)


def test_fields_of_attributes_are_names_too() -> None:
    values = [json.dumps([[0, 4, "Drug", {"dose": str(i)}]]) for i in range(3)]
    frame = table(values)
    mask = frame["arm"] == "zero_shot"
    frame["pred"] = frame["pred"].where(~mask, frame["pred"].str.replace("dose", "Dose"))
    with pytest.raises(DataError, match="predicts 'Dose', which gold writes 'dose'"):
        run(frame, "ner", "attribute_f1")


@pytest.mark.parametrize(("task", "metric"), METRICS)
def test_other_labels_than_golds_are_refused(task: str, metric: str) -> None:
    frame = table([as_value(task, label) for label in ("negative", "positive")])
    mask = frame["arm"] == "zero_shot"
    other = {as_value(task, g): as_value(task, p) for g, p in
             (("negative", "LABEL_0"), ("positive", "LABEL_1"))}  # fmt: skip
    frame["pred"] = frame["pred"].where(~mask, frame["pred"].map(other))
    with pytest.raises(DataError, match=r"zero_shot huge: 0 of its 60 .* predicts 'LABEL_"):
        run(frame, task, metric)


def test_silence_and_a_missing_majority_are_no_other_labels() -> None:
    frame = table(["a", "b"])
    silent = frame[frame["arm"] == "zero_shot"].assign(arm="few_shot", pred="")
    floor = silent.assign(arm="majority", model=None, pred="c")
    found = run(pd.concat([frame, silent, floor]), "classification", "accuracy")
    assert {a["arm"]: a["score"] for a in found["arms"]}["majority"] == 0


@pytest.mark.parametrize(("task", "metric"), METRICS)
def test_gold_that_writes_a_label_in_two_ways_is_refused(task: str, metric: str) -> None:
    frame = table([as_value(task, label) for label in ("Angina", "angina")])
    with pytest.raises(DataError, match="'angina' and 'Angina', which only look different"):
        run(frame, task, metric)


@pytest.mark.parametrize(
    ("task", "metric"),
    [("ner", "span_f1"), ("ner", "macro_span_f1"), ("ner", "attribute_f1"),
     ("multilabel", "micro_f1")],
)  # fmt: skip
def test_gold_without_anything_to_find_is_refused(task: str, metric: str) -> None:
    with pytest.raises(DataError, match=f"so {metric} is not defined"):
        run(table(["[]"]), task, metric)


def test_gold_is_one_value_however_its_json_is_written() -> None:
    frame = table(['["a", "b"]', '["b"]'])
    mask = frame["arm"] == "zero_shot"
    frame["gold"] = frame["gold"].where(~mask, frame["gold"].str.replace(" ", ""))
    assert run(frame, "multilabel", "micro_f1")["reference"]["score"] > 0.9


class TestIds:
    @pytest.mark.parametrize("write", [float, str, lambda i: f" {i}.0 "])
    def test_types_and_white_space_do_not_matter(self, write: Any) -> None:
        frame = table(["a", "b"])
        expected = run(frame, "classification", "accuracy")
        ids = frame["doc_id"].astype(object)
        frame["doc_id"] = ids.where(frame["arm"] == "zero_shot", ids.map(write))
        assert run(frame, "classification", "accuracy")["cells"] == expected["cells"]

    def test_padding_is_named(self) -> None:
        frame = table(["a", "b"])
        ids = frame["doc_id"].astype(str)
        frame["doc_id"] = ids.where(frame["arm"] == "zero_shot", ids.str.zfill(4))
        with pytest.raises(DataError, match="only looks different"):
            run(frame, "classification", "accuracy")

    def test_groups_find_their_documents(self) -> None:
        frame = table(["a", "b"])
        found = decide(
            frame, task="classification", metric="accuracy", reference={"arm": "zero_shot"},
            margin=0.05, groups={float(i): f"p{i % 30}" for i in range(60)},  # type: ignore[misc]
        )  # fmt: skip
        assert found.power.groups == 30


@given(st.text(max_size=12) | st.integers() | st.floats())
def test_the_form_of_a_label_is_settled_at_once(value: Any) -> None:
    assert label_text(label_text(value)) == label_text(value)
    if isinstance(value, int):
        assert label_text(value) == label_text(f"{value}.0") == str(value)


@pytest.mark.parametrize(
    ("one", "other"), [("ER+", "ER-"), ("1", "-1"), ("1.5", "15"), ("B", "β"), ("I", "II")]
)
def test_labels_that_differ_do_not_look_alike(one: str, other: str) -> None:
    assert look(one) != look(other)
    check_gold("classification", [one, other], "gold")
    check_names("classification", {one}, {one: 3, other: 2}, "arm")
