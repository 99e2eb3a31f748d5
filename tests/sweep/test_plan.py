import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medsweep.config import load_sweep
from medsweep.errors import ConfigError
from medsweep.sweep.plan import make_plan


@pytest.fixture
def drugs(sweep_file: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A sweep file over mentions with a dose; keywords as in ``sweep_file``."""

    def write(attributes: list[str], arms: list[str]) -> Path:
        path = sweep_file(
            task={"kind": "ner", "method": "generate", "attributes": attributes},
            arms=arms,
            reference={"arm": "majority"},
        )
        for name, count in (("train", 60), ("test", 30)):
            entity = {"start": 0, "end": 3, "type": "Drug"}
            rows = [
                {
                    "id": f"{name}{i}",
                    "text": f"ASS {i} mg {name}",
                    "entities": [{**entity, "attributes": {"dose": f"{i} mg", "other": "x"}}],
                }
                for i in range(count)
            ]
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        return path

    return write


def test_attributes_that_are_asked_for_are_in_the_plan(drugs: Callable[..., Path]) -> None:
    plan = make_plan(load_sweep(drugs(["dose"], ["majority"])))
    assert plan.workload.attributes == ("dose",)
    fields = {
        f for d in plan.workload.documents.values() for s in d.spans or () for f in s.attributes
    }
    assert {name for name, _ in fields} == {"dose"}
    assert all(d.spans is None for fold in plan.workload.folds for d in fold.test)


def test_what_has_no_answer_is_said_before_anything_is_trained(
    drugs: Callable[..., Path],
) -> None:
    with pytest.raises(ConfigError, match="arm tfidf finds mentions, but none of their attributes"):
        make_plan(load_sweep(drugs(["dose"], ["tfidf"])))
    with pytest.raises(ConfigError, match="has the attribute 'negation'"):
        make_plan(load_sweep(drugs(["dose", "negation"], ["majority"])))
