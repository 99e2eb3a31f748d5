"""Adapters that answer in writing or by likelihood, handed over and used."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from medsweep.cli.predict import command
from medsweep.corpus.write import to_row
from medsweep.export import export_adapter
from medsweep.models import resolve
from medsweep.models.load import load_base
from medsweep.record.trial import Cell, Trial
from medsweep.tasks import MethodName
from medsweep.training.engines.shared import SharedEngine
from medsweep.training.recipe import Recipe
from tests.conftest import write_jsonl
from tests.training.shapes import documents, the_task
from tests.training.writers import make_writer

RECIPE = Recipe(rank=2, learning_rate=5e-2, min_steps=3, epochs=1, evaluations=1, max_length=32)


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("classification", "likelihood"),
        ("classification", "generate"),
        ("multilabel", "generate"),
        ("ner", "generate"),
    ],
)
def test_an_adapter_is_checked_exported_and_used(
    kind: str, method: MethodName, tmp_path: Path
) -> None:
    task, model = the_task(kind), make_writer("llama", tmp_path / "tiny-llama").path
    train = [replace(d, id=f"t{i}") for i, d in enumerate(documents(30, 1))]
    test = [replace(d, id=f"e{i}") for i, d in enumerate(documents(8, 2))]
    out, name = tmp_path / "run", "tiny-llama-n20-d0"
    engine = SharedEngine(load_base(resolve(str(model)), task, method=method, device="cpu"), task)
    engine.attach(name, RECIPE, train[:20], train[20:24])
    engine.advance(name)
    engine.save(name, out / "adapters" / name)
    trial = Trial(name, "confirm", Cell("tiny-llama", 20), recipe=RECIPE.to_dict())
    note = out / "adapters" / name / "medsweep.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "trial": trial.to_dict()}))
    found = engine.predict(name, test)
    common = {"arm": "finetuned", "model": "tiny-llama", "train_size": 20, "draw": 0}
    gold = {d.id: task.gold(d) for d in test}
    rows = [
        {**common, "doc_id": p.doc_id, "gold": gold[p.doc_id], "pred": task.value(p)} for p in found
    ]
    pd.DataFrame(rows).to_parquet(out / "predictions.parquet")
    (out / "verdict.json").write_text(json.dumps({"name": "x", "cells": [], "smallest": None}))
    gold = {"classification": "label", "multilabel": "labels", "ner": "entities"}[kind]
    files = {}
    for part, given in (("train", train), ("test", test)):
        files[part] = write_jsonl(
            tmp_path / f"{part}.jsonl",
            [
                {key: value for key, value in to_row(d).items() if key in ("id", "text", gold)}
                for d in given
            ],
        )
    sweep = {
        "name": "trial-run",
        "task": {"kind": kind, "method": method},
        "data": {"train": str(files["train"]), "test": str(files["test"]), "dev": 10},
        "models": [str(model)],
        "reference": {"arm": "tfidf"},
        "train_sizes": [20],
        "draws": 2,
        "decide": {"margin": 0.05},
    }
    (out / "sweep.yaml").write_text(json.dumps(sweep))

    done = export_adapter(out, tmp_path / "adapter", model="tiny-llama", size=20)
    assert done.documents == len(test)
    card = (tmp_path / "adapter" / "README.md").read_text()
    assert "pipeline_tag: text-generation" in card
    assert "AutoModelForCausalLM" in card
    assert "Document:\n{document}" in card
    assert not any(d.text in card for d in [*train, *test])

    asked = [str(tmp_path / "adapter"), str(files["test"])]
    result = CliRunner().invoke(command, asked, catch_exceptions=False)
    lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert [line["id"] for line in lines] == [d.id for d in test]
    if kind == "classification":
        assert [line["label"] for line in lines] == [p.label for p in found]
    elif kind == "multilabel":
        assert [line["labels"] is None for line in lines] == [p.labels is None for p in found]
    else:
        assert [line["entities"] is None for line in lines] == [p.spans is None for p in found]
