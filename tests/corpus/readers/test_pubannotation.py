import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medsweep.corpus import Span, scan

Put = Callable[[str, str], Path]


def denotation(*pieces: tuple[int, int]) -> dict[str, Any]:
    spans = [{"begin": a, "end": b} for a, b in pieces]
    return {"id": "T1", "span": spans if len(spans) > 1 else spans[0], "obj": "Sign"}


def test_one_object_or_an_array(put: Put) -> None:
    one = {"text": "Ödem", "denotations": [denotation((0, 4))], "sourcedb": "P", "sourceid": "1"}
    (document,) = scan(put("a.json", json.dumps(one)))
    assert (document.id, document.spans) == ("P-1", (Span(0, 4, "Sign"),))
    two = [one, {"text": "ohne"}]
    assert [(d.id, d.spans) for d in scan(put("b.json", json.dumps(two)))] == [
        ("P-1", (Span(0, 4, "Sign"),)),
        ("b-2", None),
    ]


def test_several_pieces_and_what_is_left_out(put: Put) -> None:
    made = {
        "text": "Arm und Bein",
        "denotations": [denotation((8, 12), (0, 3)), denotation((3, 3)), denotation((0, 3))],
        "relations": [{}, {}],
    }
    changes: Counter[str] = Counter()
    (document,) = scan(put("a.json", json.dumps(made)), changes=changes)
    assert document.spans == (Span(0, 3, "Sign"), Span(0, 12, "Sign", ((0, 3), (8, 12))))
    assert changes == {"relations left out": 2, "spans without a character left out": 1}


def test_attributes_and_modifications_of_denotations(put: Put) -> None:
    made = {
        "text": "Arm und Bein",
        "denotations": [denotation((8, 12), (0, 3)), {**denotation((8, 12)), "id": 2}],
        "relations": [{"id": "R1", "subj": "T1", "pred": "near", "obj": "2"}],
        "attributes": [
            {"id": f"A{n}", "subj": subj, "pred": pred, "obj": obj}
            for n, (subj, pred, obj) in enumerate(
                [
                    ("T1", "side", "left"),
                    ("T1", "side", "right"),
                    ("T1", "certain", True),
                    ("T1", "grade", None),
                    ("2", "grade", 2),
                    ("R1", "certain", False),
                    (None, "certain", False),
                ]
            )
        ],
        "modifications": [
            {"id": "M1", "pred": "Negation", "obj": "2"},
            {"id": "M2", "pred": "Speculation", "obj": "R1"},
            {"id": "M3", "obj": "2"},
        ],
    }
    changes: Counter[str] = Counter()
    (document,) = scan(put("a.json", json.dumps(made)), changes=changes)
    assert document.spans == (
        Span(0, 12, "Sign", ((0, 3), (8, 12)), (("certain", "true"), ("side", "left"))),
        Span(8, 12, "Sign", attributes=(("Negation", "true"), ("grade", "2"))),
    )
    assert changes == {"relations left out": 1, "attributes left out": 6}
    del made["denotations"]
    (document,) = scan(put("a.json", json.dumps(made)), format="pubannotation", changes=changes)
    assert (document.spans, changes["attributes left out"]) == (None, 6 + 10)
