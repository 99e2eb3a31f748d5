"""Attributes of mentions: asked for, taught, written, and put back to their mention."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from medsweep.arms import make_arm
from medsweep.corpus import Document, Span
from medsweep.corpus.write import write_jsonl
from medsweep.export import predict_documents
from medsweep.export.metadata import read_metadata
from medsweep.export.reload import predict_with_peft
from medsweep.models.load import load_base
from medsweep.tasks import make_task
from medsweep.training.engines.shared import SharedEngine
from medsweep.training.methods import make_method
from medsweep.training.methods.prompted import PromptedWindow
from medsweep.training.recipe import Recipe
from tests.arms.server import serving
from tests.training.writers import make_writer

TASK = make_task("ner", ("Drug",), "attribute_f1", ("dose", "negation"))
RECIPE = Recipe(rank=2, learning_rate=5e-2, min_steps=3, epochs=1, evaluations=1, max_length=48)


def documents(count: int, mentions: int = 2) -> list[Document]:
    """Each drug with its dose, and every other one negated."""
    found = []
    for i in range(count):
        text, spans = "", []
        for n in range(mentions):
            fields = [("dose", f"{i + n} mg"), *([("negation", "true")] if (i + n) % 2 else [])]
            spans.append(Span(len(text), len(text) + 3, "Drug", attributes=tuple(fields)))
            text += f"ASS {i + n} mg und "
        found.append(Document(f"d{i}", text, spans=tuple(spans)))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_writer("llama", tmp_path_factory.mktemp("writer") / "tiny-llama")


def test_what_is_taught_is_what_is_read(folder: Any) -> None:
    base = load_base(folder, TASK, method="generate", device="cpu")
    method: Any = make_method(base, TASK)
    (asked,) = method.prompts.messages("x")
    assert "- dose\n- negation" in asked["content"]
    assert '"attributes": {<attribute>: <value>' in asked["content"]
    given = [*documents(4), *documents(2, mentions=6)]
    windows = method.encode(given, 48, for_training=True)
    assert len(windows) > len(given)
    written = []
    for window in windows:
        assert isinstance(window, PromptedWindow)
        text = base.tokenizer.decode(window.answers[0][:-1])
        if "dose" in text:
            assert json.loads(text)[0]["attributes"]["dose"].endswith(" mg")
        written.append(text)
    found = method.decode(given, windows, written).predictions
    values = [TASK.value(p) for p in found[:4]]
    assert values == [TASK.gold(d) for d in given[:4]]
    assert TASK.score([TASK.gold(d) for d in given[:4]], values)["attribute_f1"] == 1
    # Of a long document each window says what is whole in it.
    assert all(set(p.spans or ()) <= set(d.spans or ()) for p, d in zip(found, given, strict=True))


def test_an_adapter_knows_its_attributes(folder: Any, tmp_path: Path) -> None:
    base = load_base(folder, TASK, method="generate", device="cpu")
    engine = SharedEngine(base, TASK)
    engine.attach("a", RECIPE, documents(8), documents(2))
    assert "attribute_f1" in engine.advance("a").metrics
    engine.save("a", tmp_path / "adapter")
    metadata = read_metadata(tmp_path / "adapter")
    assert metadata.task == TASK
    with torch.no_grad():
        wanted = engine.predict("a", documents(2))
    assert predict_with_peft(tmp_path / "adapter", metadata, documents(2)) == wanted
    write_jsonl(documents(2), tmp_path / "notes.jsonl")
    rows = predict_documents(tmp_path / "adapter", tmp_path / "notes.jsonl")
    assert [r["id"] for r in rows] == ["d0", "d1"]


def test_prompted_models_are_asked_for_them(folder: Any) -> None:
    train, test = documents(3), documents(2, mentions=1)
    for name, options in (("zero_shot", {}), ("few_shot", {"k": 1, "example_length": 16})):
        arm = make_arm(name, TASK, model=folder, options={**options, "max_new_tokens": 8})
        assert len(arm.predict(train, test, seed=0)) == 2
    answer = '[{"text": "ASS", "type": "drug", "attributes": {"Dose": "0 mg"}}]'
    with serving(lambda _: (200, answer)) as (url, _):
        arm = make_arm("endpoint", TASK, options={"url": url, "model": "m"})
        gold, found = [TASK.gold(d) for d in test], arm.predict(train, test, seed=0)
    # The second document has another dose, and a negation.
    assert TASK.score(gold, [TASK.value(p) for p in found])["attribute_f1"] == pytest.approx(2 / 5)
