from pathlib import Path
from types import SimpleNamespace
from typing import Any

from medsweep.config import ArmConfig
from medsweep.record.folder import TrialFolder
from medsweep.record.trial import Cell, Trial
from medsweep.sweep.results import arm_labels, reading_notes


def test_arms_of_one_name_are_told_apart() -> None:
    model, other = {"id": "m"}, {"id": "n"}
    arms = [
        ArmConfig(arm="majority"),
        ArmConfig(arm="few_shot", model=model, options={"k": 3}),
        ArmConfig(arm="few_shot", model=model, options={"k": 3, "selection": "bm25"}),
        ArmConfig(arm="few_shot", model=model, options={"k": 5, "selection": "bm25"}),
        ArmConfig(arm="few_shot", model=model, options={"k": 5}),
        ArmConfig(arm="few_shot", model=other, options={"selection": "bm25"}),
    ]
    assert arm_labels(arms) == [
        "majority",
        "few_shot",
        "few_shot-bm25",
        "few_shot-bm25-2",
        "few_shot-2",
        "few_shot",
    ]


def test_how_answers_were_read_is_told(tmp_path: Path) -> None:
    cell = Cell("m", 9)
    arms = (ArmConfig(arm="majority"), ArmConfig(arm="few_shot", model={"id": "m"}))
    told: dict[str, list[dict[str, Any]]] = {
        "arm-0": [{"pred": "a"}] * 4,
        "arm-1": [{"pred": "a", "salvaged": True}, {"pred": "", "cut": True}, {"pred": "b"}],
    }
    records = {}
    for number, (name, rows) in enumerate(told.items()):
        trial = Trial(name, "arm", cell, arm=number)
        TrialFolder(tmp_path, name).add_predictions(rows)
        records[name] = SimpleNamespace(trial=trial, status="finished")
    plan: Any = SimpleNamespace(workload=SimpleNamespace(arms=arms))
    found: Any = SimpleNamespace(by_name=records)
    assert reading_notes(plan, found, tmp_path) == [
        "few_shot m: of 3 answers 1 not written as asked and read all the same, "
        "1 cut off at the limit of tokens, 1 without a readable answer"
    ]
