import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medsweep.config import load_sweep
from medsweep.errors import ConfigError, DataError, InputErrors, ModelError
from medsweep.plan.build import make_plan
from medsweep.plan.inputs import input_problems
from tests.training.writers import make_writer


@pytest.fixture
def drugs(sweep_file: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A sweep file over mentions with a dose; keywords as in ``sweep_file``."""

    def write(attributes: list[str], arms: list[str]) -> Path:
        path = sweep_file(
            task={"kind": "ner", "method": "generate", "attributes": attributes},
            arms=arms,
            reference={"arm": "majority"},
            models=[str(make_writer("llama", tmp_path / "tiny-llama").path)],
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


def test_what_reading_changed_is_noted(drugs: Callable[..., Path]) -> None:
    plan = make_plan(load_sweep(drugs(["dose"], ["majority"])))
    assert "train.jsonl: 60 attributes left out" in plan.notes
    assert "test.jsonl: 30 attributes left out" in plan.notes


def test_mentions_that_no_head_can_find_are_noted(
    drugs: Callable[..., Path], tmp_path: Path
) -> None:
    path = drugs([], ["majority"])
    row = {"id": "nested", "text": "ASS 100 mg"}
    entities = [{"start": 0, "end": 10, "type": "Drug"}, {"start": 0, "end": 3, "type": "Drug"}]
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write(json.dumps({**row, "entities": entities}) + "\n")
    notes = make_plan(load_sweep(path)).notes
    assert any(note.startswith("1 of 92 mentions cannot be tagged") for note in notes)


def test_an_encoder_is_not_asked_to_write(sweep_file: Callable[..., Path], tiny_bert: Path) -> None:
    with pytest.raises(ModelError, match="cannot write an answer"):
        make_plan(load_sweep(sweep_file(task={"kind": "classification", "method": "likelihood"})))
    asked = {"arm": "zero_shot", "model": str(tiny_bert)}
    with pytest.raises(ModelError, match="cannot write an answer"):
        make_plan(load_sweep(sweep_file(reference=asked)))


def test_the_reference_is_the_arm_with_its_own_options(
    sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    model = str(make_writer("llama", tmp_path / "tiny-llama").path)
    asked = {"arm": "few_shot", "model": model}
    listed = ["majority", {**asked, "options": {"k": 2}}]
    for options, count in (({}, 2), ({"k": 2}, 2), ({"k": 1}, 3)):
        path = sweep_file(arms=listed, reference={**asked, "options": options})
        arms = make_plan(load_sweep(path)).workload.arms
        assert [a.arm for a in arms[:2]] == ["few_shot", "majority"]
        assert arms[0].options == (options or {"k": 2})
        assert len(arms) == count


def test_everything_that_is_not_there_is_said_at_once(
    sweep_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_KEY", raising=False)
    asked = {"url": "http://127.0.0.1:9/v1", "model": "m", "api_key_env": "NO_KEY"}
    path = sweep_file(
        models=["package:no_such_package/m", "/no/folder"],
        arms=["majority", {"arm": "endpoint", "options": asked}, {"arm": "predictions"}],
        data={"train": str(tmp_path / "trian.jsonl"), "test": "none.csv", "dev": 18},
    )
    with pytest.raises(InputErrors) as caught:
        make_plan(load_sweep(path))
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "data.train",
        "data.test",
        "arms.endpoint.options.api_key_env",
        "arms.predictions.options.path",
        "models[0]",
        "models[1]",
    ]
    assert lines[0].endswith("no such file or folder; there is train.jsonl and test.jsonl")
    # With mistakes in the file itself, too.
    with pytest.raises(InputErrors) as caught:
        load_sweep(path, ["draws=0"], input_problems)
    assert str(caught.value).splitlines() == [
        "sweep.yaml: draws: must be at least 1, not 0; correct the value",
        *lines,
    ]


def test_folds_that_the_documents_have(sweep_file: Callable[..., Path], tmp_path: Path) -> None:
    path = sweep_file(
        data={
            "train": str(tmp_path / "train.jsonl"),
            "dev": 0.2,
            "evaluation": {"kind": "crossval", "folds": "split"},
        },
        train_sizes=[9],
    )
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]

    def write(key: str) -> None:
        kept = [{**row, key: n // 3 % 4} for n, row in enumerate(rows)]
        (tmp_path / "train.jsonl").write_text("".join(json.dumps(r) + "\n" for r in kept))

    for key in ("fold", "split"):
        write(key)
        folds = make_plan(load_sweep(path)).workload.folds
        assert [len(f.test) for f in folds] == [15, 15, 15, 15]
        numbers = [{int(d.id[1:]) // 3 % 4 for d in f.test} for f in folds]
        assert numbers == [{0}, {1}, {2}, {3}]
    write("part")
    with pytest.raises(DataError, match="60 of 60 documents have no split; name its column"):
        make_plan(load_sweep(path))
