from typing import Any, get_args

import pytest

from medsweep.arms import ARMS, ArmName, check_arm, make_arm
from medsweep.errors import ConfigError
from medsweep.tasks import make_task


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
        ("dictionary", "classification", {}, "holds mentions, and this task has none"),
        ("dictionary", "multilabel", {}, "leave the arm dictionary out"),
    ],
)
def test_refused_before_training(name: str, kind: Any, options: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check_arm(name, kind, options, labels=("never", "smoker"))


def test_model_needed() -> None:
    with pytest.raises(ConfigError, match="needs a model"):
        make_arm("probe", make_task("classification", ("a", "b"), "macro_f1"))


@pytest.mark.parametrize("name", ["rules", "dictionary", "tfidf", "probe"])
def test_arms_without_a_place_for_attributes(name: str) -> None:
    with pytest.raises(ConfigError, match="none of their attributes"):
        check_arm(name, "ner", {}, labels=("Drug",), attributes=("dose",))


def test_every_name_has_its_arm() -> None:
    assert set(ARMS) == set(get_args(ArmName))
