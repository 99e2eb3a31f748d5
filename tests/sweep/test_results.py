from medsweep.config import ArmConfig
from medsweep.sweep.results import arm_labels


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
