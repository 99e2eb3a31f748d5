"""Whole sweeps on a tiny real model: real Ray, real MLflow, in processes of their own."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from medsweep.record.ledger import NAME, state_folder
from tests.commands import (
    CANARY,
    called,
    medsweep,
    no_text_anywhere,
    started,
    wait_for,
)
from tests.conftest import make_documents, write_jsonl, write_sweep
from tests.documents import multilabel
from tests.training.writers import make_writer

pytestmark = pytest.mark.slow


def mlflow_runs(folder: Path) -> pd.DataFrame:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    return pd.DataFrame(
        {
            "name": run.info.run_name,
            "status": run.info.status,
            "said": run.data.tags.get("medsweep.status"),
            "parent": run.data.tags.get("mlflow.parentRunId"),
            "test_set": run.data.tags.get("medsweep.test_set"),
        }
        for run in client.search_runs([experiment.experiment_id], max_results=1000)
    )


def trial_facts(out: Path) -> pd.DataFrame:
    """What must not depend on whether a sweep was interrupted."""
    trials = pd.read_parquet(out / "trials.parquet").sort_values("trial_id")
    return trials[["trial_id", "status", "rank", "learning_rate", "seed"]].reset_index(drop=True)


def mlflow_metrics(folder: Path) -> list[dict[str, float]]:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    return [r.data.metrics for r in client.search_runs([experiment.experiment_id])]


@dataclass(frozen=True)
class Finished:
    """A sweep to its end: its folder, its results, and what the two commands said."""

    folder: Path
    out: Path
    refused: subprocess.CompletedProcess[str]
    done: subprocess.CompletedProcess[str]


# One host and one slot: the order in which trials end is then the same in every run.
ALONE = {"hosts": 1, "threads": 1, "slots": 1}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Finished:
    """Run at the second attempt, and then undisturbed."""
    folder = tmp_path_factory.mktemp("finished")
    path = write_sweep(folder, tiny_bert, CANARY, engine="shared", resources=ALONE)
    run = ("run", path, "--out", folder / "out")
    refused = called(*run, "--set", "tracking.uri=nonsense://x", cwd=folder)
    return Finished(folder, folder / "out", refused, medsweep(*run, cwd=folder))


def test_a_sweep_that_never_came_to_a_trial_can_be_corrected_and_run(finished: Finished) -> None:
    assert finished.refused.returncode == 2
    assert "tracking.uri: nonsense://x" in finished.refused.stderr
    assert finished.done.returncode == 0, finished.done.stderr


def test_a_sweep_ends_in_a_verdict(finished: Finished) -> None:
    folder, out, done = finished.folder, finished.out, finished.done
    verdict = json.loads((out / "verdict.json").read_text())
    assert {"name", "task", "metric", "margin", "alpha", "reference", "cells", "arms"} <= set(
        verdict
    )
    assert {"smallest", "fewest_labels", "power", "provenance"} <= set(verdict)
    assert [(c["train_size"], c["draws"]) for c in verdict["cells"]] == [(9, 2), (18, 2)]
    assert all(c["labels_used"] == c["train_size"] + 18 for c in verdict["cells"])
    assert verdict["smallest"] is not None or verdict["reason"]
    for cell in verdict["cells"]:
        taken = cell["inference"]
        assert taken["seconds_per_document"] > 0
        assert taken["weights_bytes"] > 4 * cell["params"]
        assert taken["device"] == "CPU"
    assert "inference" not in verdict["reference"]
    assert " a document" in (out / "report.html").read_text()

    predictions = pd.read_parquet(out / "predictions.parquet")
    assert set(predictions["arm"]) == {"majority", "tfidf", "probe", "finetuned"}
    tuned = predictions[predictions["arm"] == "finetuned"]
    assert tuned.groupby(["train_size", "draw"]).size().tolist() == [30] * 4
    assert len(list((out / "adapters").iterdir())) == 4

    trials = pd.read_parquet(out / "trials.parquet")
    assert (trials["phase"] == "search").sum() == 6
    assert set(trials["status"]) <= {"finished", "stopped"}

    runs = mlflow_runs(folder)
    assert runs["name"].is_unique
    assert (runs["status"] != "RUNNING").all()
    assert len(runs) == 1 + 6 + 4 + 3
    stopped = runs["said"] == "stopped"
    assert (runs.loc[stopped, "status"] == "KILLED").all()

    assert called("resume", out).returncode == 0
    assert len(mlflow_runs(folder)) == len(runs)
    judged = verdict["judged"]
    assert judged["number"] == 1 + len(judged["earlier"])
    ledger = (state_folder() / NAME).read_text()
    assert verdict["test_set"] in ledger
    assert ledger.count(judged["sweep"]) == 1
    assert (runs["test_set"].dropna() == verdict["test_set"]).sum() == 1
    no_text_anywhere(folder, done.stdout + done.stderr)


def test_what_is_left_is_shown_exported_and_used(finished: Finished, tmp_path: Path) -> None:
    """Each in a process of its own, as a user runs it; elsewhere these verbs are called."""
    out, adapter = finished.out, tmp_path / "adapter"
    shown = medsweep("status", out)
    assert shown.returncode == 0, shown.stderr
    assert "tiny: done" in shown.stdout
    assert called("report", out).returncode == 0
    exported = medsweep("export", out, "--to", adapter, "--model", "tiny-bert", "--size", 18)
    assert exported.returncode == 0, exported.stderr
    assert "30 of 30" in exported.stdout
    said = medsweep("predict", adapter, finished.folder / "test.jsonl")
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.splitlines()) == 30
    no_text_anywhere(tmp_path, shown.stdout + exported.stdout + said.stdout + said.stderr)


def test_a_sweep_that_is_stopped_and_killed_resumes_to_the_same_trials(
    sweep_file: Callable[..., Path],
    finished: Finished,
    new_store: Callable[[Path], str],
    tmp_path: Path,
) -> None:
    """SIGTERM, as schedulers of clusters send it, then SIGKILL; the cross-validation has Ctrl-C."""
    out = tmp_path / "out"
    path = sweep_file(engine="shared", resources={**ALONE, "threads": None})
    new_store(tmp_path / "mlflow.db")
    driver = started("run", path, "--out", out, cwd=tmp_path)
    wait_for(driver, out, "evaluation")
    driver.send_signal(signal.SIGTERM)
    _, errors = driver.communicate(timeout=120)
    assert driver.returncode == 130, errors
    assert "resume" in errors
    runs = mlflow_runs(tmp_path)
    assert runs.loc[runs["parent"].isna(), "status"].tolist() == ["KILLED"]
    assert (runs["status"] != "RUNNING").all()

    again = called("run", path, "--out", out, cwd=tmp_path)
    assert (again.returncode, "already holds a sweep" in again.stderr) == (2, True)
    kept = (out / "sweep.yaml").read_text()
    (out / "sweep.yaml").write_text(kept.replace("trials: 3", "trials: 4"))
    changed = called("resume", out, cwd=tmp_path)
    assert changed.returncode == 2
    assert "sweep.yaml: changed since the sweep began: search; put the old" in changed.stderr

    # Where it is told, and how much of the machine it takes, may change.
    (out / "sweep.yaml").write_text(kept.replace("threads: null", "threads: 1"))
    driver = started("resume", out, cwd=tmp_path)
    wait_for(driver, out, "ended", times=5)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()
    resumed = medsweep("resume", out, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    pd.testing.assert_frame_equal(trial_facts(out), trial_facts(finished.out))
    runs = mlflow_runs(tmp_path)
    assert runs["name"].is_unique
    assert (runs["status"] != "RUNNING").all()
    assert len(runs) == 1 + len(trial_facts(out)) + 3


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("data.train=missing.jsonl", "missing.jsonl"),
        ("data.test=unknown.jsonl", "martian"),
        ("train_sizes=[2]", "class"),
        ("data.train=empty.jsonl", "empty.jsonl:2"),
        ("serach.trials=3", "did you mean search?"),
        ("models=[no/such/model/here]", "no/such/model/here"),
        ("decide.margin=0", "margin must be above 0"),
        ("train_sizes=[5000]", "5000"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(
    sweep_file: Callable[..., Path], tmp_path: Path, option: str, expected: str
) -> None:
    path = sweep_file()
    (tmp_path / "unknown.jsonl").write_text(
        '{"id": "u", "text": "secret words", "label": "martian"}\n'
    )
    (tmp_path / "empty.jsonl").write_text(
        '{"id": "u", "text": "secret words", "label": "never"}\n'
        '{"id": "v", "text": " ", "label": "never"}\n'
    )
    done = called("run", path, "--out", tmp_path / "out", "--set", option, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("medsweep: ")]
    assert len(lines) == 1
    assert expected in lines[0]
    assert "secret" not in done.stderr
    assert not (tmp_path / "out" / "state").exists()


def test_heads_and_models_that_write_give_any_number_of_labels(
    sweep_file: Callable[..., Path],
    new_store: Callable[[Path], str],
    tmp_path: Path,
    tiny_bert: Path,
) -> None:
    new_store(tmp_path / "mlflow.db")
    writer = make_writer("llama", tmp_path / "tiny-llama").path
    path = sweep_file(
        task={"kind": "multilabel", "metric": "exact_match"},
        models=[str(tiny_bert), {"id": str(writer), "method": "generate"}],
        train_sizes=[18],
        draws=1,
        search={"trials": 1, "rank": [2], "top_layers": [1], "epochs": 1},
        training={"min_steps": 4, "evaluations": 1, "max_length": 32},
    )
    # What random weights write has no end, so few documents are asked about.
    for name, count in (("train", 60), ("test", 12)):
        write_jsonl(
            tmp_path / f"{name}.jsonl",
            [
                {"id": d.id, "text": d.text, "labels": d.labels}
                for d in multilabel(count, count, name)
            ],
        )
    out = tmp_path / "out"
    done = medsweep("run", path, "--out", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    verdict = json.loads((out / "verdict.json").read_text())
    assert (verdict["task"], verdict["metric"]) == ("multilabel", "exact_match")
    predictions = pd.read_parquet(out / "predictions.parquet")
    assert set(predictions["arm"]) == {"majority", "tfidf", "probe", "finetuned"}
    by_head = predictions[predictions["model"] != "tiny-llama"]
    assert all(isinstance(json.loads(v), list) for v in by_head["pred"])

    # Whether its answers could be read is told of the model that writes, and of no other.
    trials = pd.read_parquet(out / "trials.parquet")
    valid = trials[trials["adopted"].isna()].set_index("model")["format_valid"]
    assert 0 <= valid["tiny-llama"] <= 1
    assert pd.isna(valid["tiny-bert"])
    assert any("dev_format_valid" in metrics for metrics in mlflow_metrics(tmp_path))
    tuned = [a for a in verdict["arms"] if a["arm"] == "finetuned"]
    assert {a["model"] for a in tuned} == {"tiny-bert", "tiny-llama"}
    assert all(0 <= a["parse_failures"] <= 1 for a in tuned)

    export = ("export", out, "--to", tmp_path / "adapter", "--model", "tiny-bert", "--size", 18)
    done = called(*export, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "multi_label_classification" in (tmp_path / "adapter" / "README.md").read_text()
    done = called("predict", tmp_path / "adapter", tmp_path / "test.jsonl", cwd=tmp_path)
    of_bert = (predictions["arm"] == "finetuned") & (predictions["model"] == "tiny-bert")
    given = predictions[of_bert].set_index("doc_id")["pred"]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {r["id"]: r["labels"] for r in rows} == {i: json.loads(v) for i, v in given.items()}


def test_cross_validation_goes_to_a_verdict_an_adapter_and_through_an_interruption(
    sweep_file: Callable[..., Path], new_store: Callable[[Path], str], tmp_path: Path
) -> None:
    new_store(tmp_path / "mlflow.db")
    path = sweep_file(
        canary=CANARY,
        engine="solo",
        draws=2,
        train_sizes=[9],
        search={"trials": 2, "rank": [2], "top_layers": [1], "epochs": 1},
        arms=["majority", "tfidf", "rules"],
    )
    documents = make_documents(48, 1, "a", CANARY)
    # Groups of two documents of different labels.
    write_jsonl(
        tmp_path / "train.jsonl", [{**d, "group": f"g{n // 2}"} for n, d in enumerate(documents)]
    )
    folds = {"train": str(tmp_path / "train.jsonl"), "dev": 9}
    folds |= {"evaluation": {"kind": "crossval", "folds": 2}}
    sweep = yaml.safe_load(path.read_text()) | {"data": folds}
    rules = {"arm": "rules", "options": {"path": str(_patterns(tmp_path))}}
    sweep["arms"][2:] = [rules, rules]
    path.write_text(yaml.safe_dump(sweep))
    out = tmp_path / "out"
    driver = started("run", path, "--out", out, cwd=tmp_path)
    wait_for(driver, out, "evaluation")
    driver.send_signal(signal.SIGINT)
    said = "".join(driver.communicate(timeout=120))
    assert driver.returncode == 130, said
    resumed = medsweep("resume", out, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr

    predictions = pd.read_parquet(out / "predictions.parquet")
    learnt = predictions[~predictions["arm"].str.startswith("rules")]
    assert set(learnt["arm"]) == {"majority", "tfidf", "finetuned"}
    for _, rows in learnt.groupby(["arm", "model", "train_size", "draw"]):
        assert sorted(rows["doc_id"]) == sorted(d["id"] for d in documents)
    for arm in ("rules", "rules-2"):
        assert sorted(predictions[predictions["arm"] == arm]["doc_id"]) == sorted(
            d["id"] for d in documents
        )

    verdict = json.loads((out / "verdict.json").read_text())
    (cell,) = verdict["cells"]
    # Dev holds whole groups, so one document more than asked for.
    assert (cell["draws"], cell["labels_used"]) == (2, 19)
    assert cell["inference"]["seconds_per_document"] > 0
    assert len(cell["trial_by_fold"]) == verdict["provenance"]["folds"] == 2
    assert verdict["power"]["groups"] == 24
    trials = pd.read_parquet(out / "trials.parquet")
    assert trials.groupby(["fold", "phase"]).size().tolist() == [2, 2, 2, 2]
    steps = ("t00", "t01", "d0", "d1")
    named = {f"tiny-bert-n9-f{fold}-{step}" for fold in (0, 1) for step in steps}
    assert set(trials["trial_id"]) == named

    names = {f"tiny-bert-n9-f{fold}-d{draw}" for fold in (0, 1) for draw in (0, 1)}
    assert {a.name for a in (out / "adapters").iterdir()} == names
    chosen = ("--model", "tiny-bert", "--size", "9", "--fold", "1")
    exported = called("export", out, "--to", tmp_path / "adapter", *chosen, cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert "24 of 24" in exported.stdout
    assert "fold 1 of 2 from 0" in (tmp_path / "adapter" / "README.md").read_text()
    assert "2-fold cross-validation" in (out / "report.html").read_text()
    no_text_anywhere(tmp_path, said + resumed.stdout + resumed.stderr)


def _patterns(folder: Path) -> Path:
    path = folder / "patterns.yaml"
    path.write_text("default: never\nrules:\n  - {label: smoker, pattern: smokes}\n")
    return path
