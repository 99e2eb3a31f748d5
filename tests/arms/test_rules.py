from pathlib import Path

import pytest

from medsweep.arms import make_arm
from medsweep.arms.rules.patterns import SMOKING_LABELS
from medsweep.corpus import Document
from medsweep.errors import ConfigError
from medsweep.tasks import make_task

TASK = make_task("classification", sorted(SMOKING_LABELS), "micro_f1")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("He is a former smoker.", "PAST SMOKER"),
        ("She quit smoking 10 years ago.", "PAST SMOKER"),
        ("Tobacco: 30 pack-years, quit in 1987.", "PAST SMOKER"),
        ("He has not smoked since 1990.", "PAST SMOKER"),
        ("The patient no longer smokes.", "PAST SMOKER"),
        ("Ex-smoker, no alcohol.", "PAST SMOKER"),
        ("He smokes one pack per day.", "CURRENT SMOKER"),
        ("Current tobacco use.", "CURRENT SMOKER"),
        ("She was counselled to stop smoking.", "CURRENT SMOKER"),
        ("He continues to smoke.", "CURRENT SMOKER"),
        ("She has never smoked.", "NON-SMOKER"),
        ("Denies alcohol, drugs or tobacco.", "NON-SMOKER"),
        ("Nonsmoker.", "NON-SMOKER"),
        ("No history of\nsmoking.", "NON-SMOKER"),
        ("Smoking: none.", "NON-SMOKER"),
        ("Does not smoke or drink.", "NON-SMOKER"),
        ("Denies past or present tobacco use.", "NON-SMOKER"),
        ("40 pack-year history.", "SMOKER"),
        ("History of tobacco use.", "SMOKER"),
        ("His father was a heavy smoker.", "UNKNOWN"),
        ("Admitted with smoke inhalation.", "UNKNOWN"),
        ("Admitted with chest pain.", "UNKNOWN"),
        ("His mother smoked. He has never smoked.", "NON-SMOKER"),
    ],
)
def test_smoking(text: str, label: str) -> None:
    found = make_arm("rules", TASK).predict([], [Document("a", text)], seed=0)
    assert found[0].label == label


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("rules: [{label: UNKNOWN, pattern: '('}]", r"rules\[0\]\.pattern: bad pattern"),
        ("rules: [{label: UNKNOWN, pattern: '(a+)+$'}]", "exponential"),
        ("rules: [{label: UNKNOWN, pattern: '(?:x(a|b*)y?)*'}]", "exponential"),
        ("rules: [{label: UNKNOWN, patern: a}]", "did you mean pattern"),
        ("rules: [{label: UNKNWON, pattern: a}]", "did you mean UNKNOWN"),
        ("rules: [{label: UNKNOWN}]", "needs label and pattern"),
        ("rules: [{label: UNKNOWN, pattern: a}]", "no default"),
        ("rules: {}", "no list of rules"),
        ("default: [", r"rules\.yaml:\d+: not YAML"),
        ("- a", "not a mapping"),
    ],
)
def test_bad_files(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=says):
        make_arm("rules", TASK, options={"path": path})


def test_mentions_first_rule_wins_and_unless(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "rules:\n"
        "  - {type: Dose, pattern: '(?P<mention>\\d+) ?mg', unless: allerg}\n"
        "  - {type: Number, pattern: '\\d+'}\n"
    )
    task = make_task("ner", ("Dose", "Number"), "span_f1")
    text = "Gave 20 mg on day 3. Allergic to 5 mg."
    found = make_arm("rules", task, options={"path": path}).predict(
        [], [Document("a", text)], seed=0
    )
    assert [(text[s.start : s.end], s.type) for s in found[0].spans or ()] == [
        ("20", "Dose"),
        ("3", "Number"),
        ("5", "Number"),
    ]
