import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from medsweep import corpus
from medsweep.cli.predict import command
from medsweep.corpus import Document
from medsweep.errors import ConfigError, DataError, RunError
from medsweep.export import export_adapter, predict_documents
from medsweep.models import resolve
from medsweep.models.load import load_base
from medsweep.record.trial import Cell, Trial
from medsweep.tasks import make_task
from medsweep.training.engines.solo import SoloEngine
from medsweep.training.recipe import Recipe
from tests.conftest import WORDS, make_documents, write_jsonl

TASK = make_task("classification", tuple(WORDS), "macro_f1")
RECIPE = Recipe(rank=2, learning_rate=5e-3, min_steps=4, epochs=1, evaluations=1, max_length=32)
TRAIN, TEST = make_documents(30, 1, "t"), make_documents(12, 2, "e")


def documents(rows: list[dict[str, Any]]) -> list[Document]:
    return [Document(r["id"], r["text"], r["label"]) for r in rows]


@pytest.fixture
def sweep(tmp_path: Path, tiny_bert: Path) -> Path:
    """What a finished sweep of one cell and two draws leaves, without running Ray."""
    out = tmp_path / "run"
    train = write_jsonl(tmp_path / "train.jsonl", TRAIN)
    test = write_jsonl(tmp_path / "test.jsonl", TEST)
    base = load_base(resolve(str(tiny_bert)), TASK, device="cpu")
    engine, rows = SoloEngine(base, TASK), []
    for draw in range(2):
        name = f"tiny-bert-n20-d{draw}"
        recipe = Recipe.from_dict({**RECIPE.to_dict(), "seed": draw})
        engine.attach(name, recipe, documents(TRAIN)[:20], documents(TRAIN)[20:])
        engine.advance(name)
        engine.save(name, out / "adapters" / name)
        trial = Trial(name, "confirm", Cell("tiny-bert", 20), draw=draw, recipe=recipe.to_dict())
        note = out / "adapters" / name / "medsweep.json"
        values = json.loads(note.read_text())
        note.write_text(json.dumps({**values, "trial": trial.to_dict(), "dev_score": 0.5 + draw}))
        rows += [
            {
                "arm": "finetuned",
                "model": "tiny-bert",
                "train_size": 20,
                "draw": draw,
                "doc_id": p.doc_id,
                "gold": row["label"],
                "pred": TASK.value(p),
            }
            for p, row in zip(engine.predict(name, documents(TEST)), TEST, strict=True)
        ]
    pd.DataFrame(rows).to_parquet(out / "predictions.parquet")
    (out / "verdict.json").write_text(json.dumps(_verdict()))
    (out / "sweep.yaml").write_text(_sweep_file(train, test, tiny_bert))
    return out


def _verdict() -> dict[str, Any]:
    cell = {
        "model": "tiny-bert",
        "train_size": 20,
        "labels_used": 30,
        "draws": 2,
        "score": 0.51,
        "ci": [0.4, 0.6],
        "diff": 0.01,
        "diff_lower": -0.02,
        "non_inferior": True,
        "adapter": {"draw": 1, "score": 0.52, "diff": 0.02, "diff_lower": -0.01},
    }
    reference = {"arm": "tfidf", "model": None, "score": 0.5, "ci": [0.4, 0.6]}
    return {
        "name": "trial-run",
        "metric": "macro_f1",
        "margin": 0.05,
        "alpha": 0.05,
        "reference": reference,
        "cells": [cell],
        "smallest": cell,
        "provenance": {"dev_documents": 10, "versions": {"peft": "0.21"}},
    }


def _sweep_file(train: Path, test: Path, model: Path) -> str:
    return json.dumps(
        {
            "name": "trial-run",
            "task": {"kind": "classification", "metric": "macro_f1"},
            "data": {"train": {"path": str(train)}, "test": {"path": str(test)}, "dev": 10},
            "models": [str(model)],
            "reference": {"arm": "tfidf"},
            "train_sizes": [20],
            "draws": 2,
            "decide": {"margin": 0.05},
        }
    )


def test_the_best_draw_on_dev_is_exported_and_checked(sweep: Path, tmp_path: Path) -> None:
    done = export_adapter(sweep, tmp_path / "adapter")
    assert (done.name, done.documents) == ("tiny-bert-n20-d1", len(TEST))
    card = (tmp_path / "adapter" / "README.md").read_text()
    assert "0.510 (0.400 to 0.600)" in card
    assert "matches the reference (tfidf" in card
    assert not any(row["text"] in card for row in [*TRAIN, *TEST])
    assert (tmp_path / "adapter").stat().st_mode & 0o077 == 0


def _change(sweep: Path, **changes: Any) -> None:
    path = sweep / "sweep.yaml"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_neither_other_bases_nor_training_documents_are_needed(
    sweep: Path, tmp_path: Path, tiny_bert: Path
) -> None:
    gone = str(tmp_path / "gone")
    probe = {"arm": "probe", "model": gone}
    _change(sweep, models=[gone, str(tiny_bert)], arms=[probe])
    (tmp_path / "train.jsonl").unlink()
    done = export_adapter(sweep, tmp_path / "adapter")
    assert (done.name, done.documents) == ("tiny-bert-n20-d1", len(TEST))


def test_held_out_documents_are_found_among_all(sweep: Path, tmp_path: Path) -> None:
    together = write_jsonl(tmp_path / "all.jsonl", [*TRAIN, *TEST])
    _change(sweep, data={"train": str(together), "test": 12, "dev": 10})
    assert export_adapter(sweep, tmp_path / "adapter").documents == len(TEST)


def test_after_a_cross_validation_its_own_fold_is_checked(sweep: Path, tmp_path: Path) -> None:
    together = write_jsonl(tmp_path / "all.jsonl", [*TRAIN, *TEST])
    data = {"train": str(together), "dev": 10, "evaluation": {"kind": "crossval", "folds": 3}}
    _change(sweep, data=data)
    # What judged is what any arm predicted: a cell of which a fold failed has not all of it.
    table = pd.read_parquet(sweep / "predictions.parquet")
    third = corpus.folds(documents(TEST), 3, kind="classification", seed=0)[0][1]
    own = table[table["doc_id"].isin([d.id for d in third])]
    pd.concat([table.assign(arm="tfidf", model=""), own]).to_parquet(sweep / "predictions.parquet")
    assert export_adapter(sweep, tmp_path / "adapter").documents == len(third)


def test_changed_documents_are_refused(sweep: Path, tmp_path: Path) -> None:
    relabelled = [{**TEST[0], "label": TEST[1]["label"]}, *TEST[1:]]
    for rows in (TEST[1:], relabelled):
        write_jsonl(tmp_path / "test.jsonl", rows)
        with pytest.raises(DataError, match="have changed since the sweep"):
            export_adapter(sweep, tmp_path / "adapter")
    assert list(tmp_path.glob("adapter*")) == []


def test_a_draw_can_be_named(sweep: Path, tmp_path: Path) -> None:
    done = export_adapter(sweep, tmp_path / "a", model="tiny-bert", size=20, draw=0)
    assert done.name == "tiny-bert-n20-d0"


def test_a_fold_that_is_not_there_is_refused(sweep: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at 20 documents, draw 0, fold 1"):
        export_adapter(sweep, tmp_path / "a", draw=0, model="tiny-bert", size=20, fold=1)


def test_an_adapter_that_predicts_otherwise_is_not_exported(sweep: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(sweep / "predictions.parquet")
    table.loc[(table["draw"] == 1) & (table["doc_id"] == "e3"), "pred"] = "something else"
    table.to_parquet(sweep / "predictions.parquet")
    with pytest.raises(RunError, match="1 of 12 test predictions differ"):
        export_adapter(sweep, tmp_path / "adapter")
    assert list(tmp_path.glob("adapter*")) == []


def test_what_cannot_be_exported_is_said(sweep: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no finished sweep"):
        export_adapter(tmp_path, tmp_path / "a")
    with pytest.raises(ConfigError, match="exists already"):
        export_adapter(sweep, tmp_path)
    with pytest.raises(ConfigError, match="there are: tiny-bert-n20-d0"):
        export_adapter(sweep, tmp_path / "a", size=40)
    (sweep / "verdict.json").write_text(json.dumps({**_verdict(), "smallest": None}))
    with pytest.raises(ConfigError, match="--model and --size"):
        export_adapter(sweep, tmp_path / "a")


def test_new_documents_are_labelled_in_order(sweep: Path, tmp_path: Path) -> None:
    rows = [{"id": r["id"], "text": r["text"]} for r in TEST]
    notes = write_jsonl(tmp_path / "notes.jsonl", rows)
    found = predict_documents(sweep / "adapters" / "tiny-bert-n20-d1", notes)
    table = pd.read_parquet(sweep / "predictions.parquet")
    expected = table[table["draw"] == 1]
    assert [r["id"] for r in found] == list(expected["doc_id"])
    assert [r["label"] for r in found] == list(expected["pred"])
    assert set(found[0]) == {"id", "label", "scores"}


def test_new_documents_are_read_with_the_options_of_a_corpus(sweep: Path, tmp_path: Path) -> None:
    rows = [{"case": r["id"], "note": r["text"]} for r in TEST[:3]]
    notes, out = write_jsonl(tmp_path / "notes.data", rows), tmp_path / "p.jsonl"
    adapter = sweep / "adapters" / "tiny-bert-n20-d1"
    options = ["--format", "jsonl", "--column", "text=note", "--column", "id=case", "--out", out]
    CliRunner().invoke(command, list(map(str, [adapter, notes, *options])), catch_exceptions=False)
    found = [json.loads(line)["id"] for line in out.read_text().splitlines()]
    assert found == [r["id"] for r in TEST[:3]]
    with pytest.raises(DataError, match="format jsonl has no layers"):
        predict_documents(adapter, tmp_path / "test.jsonl", layer="Med")


def test_a_folder_that_is_no_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no adapter folder"):
        predict_documents(tmp_path, tmp_path / "notes.jsonl")
