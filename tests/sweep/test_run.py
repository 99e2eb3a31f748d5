"""Whole sweeps on a tiny real model: real Ray, real MLflow, in processes of their own."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.arms.conftest import multilabel
from tests.conftest import make_documents, write_jsonl
from tests.sweep.conftest import command, environment, medsweep, wait_for
from tests.training.writers import make_writer

pytestmark = pytest.mark.slow
CANARY = "zyxcanary77"


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
        }
        for run in client.search_runs([experiment.experiment_id], max_results=1000)
    )


def trial_facts(out: Path) -> pd.DataFrame:
    """What must not depend on whether a sweep was interrupted."""
    trials = pd.read_parquet(out / "trials.parquet").sort_values("trial_id")
    return trials[["trial_id", "status", "rank", "learning_rate", "seed"]].reset_index(drop=True)


def test_models_that_write_are_searched_and_their_format_is_told(
    sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    model = make_writer("llama", tmp_path / "tiny-llama").path
    path = sweep_file(
        canary=CANARY,
        engine="shared",
        task={"kind": "classification", "method": "generate"},
        models=[str(model)],
        train_sizes=[9],
        search={"trials": 2, "rank": [2], "top_layers": [1], "epochs": 1},
        arms=["majority"],
    )
    out = tmp_path / "out"
    done = medsweep("run", path, "--out", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trials = pd.read_parquet(out / "trials.parquet")
    assert trials.loc[~trials["adopted"].astype(bool), "format_valid"].between(0, 1).all()
    runs = mlflow_metrics(tmp_path)
    assert any("dev_format_valid" in metrics for metrics in runs)
    arms = json.loads((out / "verdict.json").read_text())["arms"]
    (tuned,) = (a for a in arms if a["arm"] == "finetuned")
    assert 0 <= tuned["parse_failures"] <= 1


def mlflow_metrics(folder: Path) -> list[dict[str, float]]:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    return [r.data.metrics for r in client.search_runs([experiment.experiment_id])]


@pytest.mark.parametrize("engine", ["solo", "shared"])
def test_a_sweep_ends_in_a_verdict(
    sweep_file: Callable[..., Path], tmp_path: Path, engine: str
) -> None:
    path = sweep_file(canary=CANARY, engine=engine)
    out = tmp_path / "out"
    done = medsweep("run", path, "--out", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

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

    runs = mlflow_runs(tmp_path)
    assert runs["name"].is_unique
    assert (runs["status"] != "RUNNING").all()
    assert len(runs) == 1 + 6 + 4 + 3
    stopped = runs["said"] == "stopped"
    assert (runs.loc[stopped, "status"] == "KILLED").all()

    again = medsweep("resume", out, cwd=tmp_path)
    assert again.returncode == 0
    assert len(mlflow_runs(tmp_path)) == len(runs)

    for verb in ("status", "report"):
        assert medsweep(verb, out, cwd=tmp_path).returncode == 0
    chosen = ("--model", "tiny-bert", "--size", "18")
    exported = medsweep("export", out, "--to", tmp_path / "adapter", *chosen, cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert "30 of 30" in exported.stdout
    said = medsweep("predict", tmp_path / "adapter", tmp_path / "test.jsonl", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.splitlines()) == 30

    _no_text_anywhere(tmp_path, done.stdout + done.stderr + said.stdout)


def _no_text_anywhere(folder: Path, shown: str) -> None:
    """A word planted in every document is in the user's own files and nowhere else."""
    assert CANARY not in shown
    own = {folder / "train.jsonl", folder / "test.jsonl"}
    for path in folder.rglob("*"):
        if path.is_file() and path not in own:
            assert CANARY.encode() not in path.read_bytes(), path


def test_a_killed_sweep_resumes_to_the_same_trials(
    sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    # One host: the order in which trials end is then the same in every run.
    path = sweep_file(resources={"hosts": 1, "threads": 1, "slots": 1})
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    tracked = ("--set", "tracking.enabled=false")
    assert medsweep("run", path, "--out", whole, *tracked, cwd=tmp_path).returncode == 0

    driver = subprocess.Popen(
        command("run", path, "--out", torn),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(driver, torn, "ended", times=5)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()

    resumed = medsweep("resume", torn, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    pd.testing.assert_frame_equal(trial_facts(torn), trial_facts(whole))
    runs = mlflow_runs(tmp_path)
    assert runs["name"].is_unique
    assert (runs["status"] != "RUNNING").all()
    assert len(runs) == 1 + len(trial_facts(torn)) + 3


def test_a_signal_leaves_a_resumable_sweep(sweep_file: Callable[..., Path], tmp_path: Path) -> None:
    """SIGTERM, as schedulers of clusters send it; the cross-validation has Ctrl-C."""
    path, out = sweep_file(), tmp_path / "out"
    driver = subprocess.Popen(
        command("run", path, "--out", out),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(driver, out, "evaluation")
    driver.send_signal(signal.SIGTERM)
    _, errors = driver.communicate(timeout=120)
    assert driver.returncode == 130, errors
    assert "resume" in errors
    runs = mlflow_runs(tmp_path)
    assert runs.loc[runs["parent"].isna(), "status"].tolist() == ["KILLED"]
    assert (runs["status"] != "RUNNING").all()
    again = medsweep("run", path, "--out", out, cwd=tmp_path)
    assert (again.returncode, "already holds a sweep" in again.stderr) == (2, True)
    kept = (out / "sweep.yaml").read_text()
    (out / "sweep.yaml").write_text(kept.replace("trials: 3", "trials: 4"))
    changed = medsweep("resume", out, cwd=tmp_path)
    assert changed.returncode == 2
    assert "sweep.yaml: changed since the sweep began: search; put the old" in changed.stderr
    # Where it is told, and how much of the machine it takes, may change.
    (out / "sweep.yaml").write_text(kept.replace("hosts: null", "hosts: 1"))
    assert medsweep("resume", out, cwd=tmp_path).returncode == 0
    assert (mlflow_runs(tmp_path)["status"] != "RUNNING").all()


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
    done = medsweep("run", path, "--out", tmp_path / "out", "--set", option, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("medsweep: ")]
    assert len(lines) == 1
    assert expected in lines[0]
    assert "secret" not in done.stderr
    assert not (tmp_path / "out" / "state").exists()


def test_a_sweep_that_never_came_to_a_trial_can_be_corrected_and_run(
    sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    command = ("run", sweep_file(arms=[], draws=1, train_sizes=[9]), "--out", tmp_path / "out")
    wrong = ("--set", "tracking.uri=nonsense://x")
    done = medsweep(*command, *wrong, cwd=tmp_path)
    assert (done.returncode, "tracking.uri: nonsense://x" in done.stderr) == (2, True), done.stderr
    done = medsweep(*command, "--set", "tracking.enabled=false", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_documents_with_several_labels(
    sweep_file: Callable[..., Path], tmp_path: Path, tiny_bert: Path
) -> None:
    path = sweep_file(
        task={"kind": "multilabel", "metric": "exact_match"}, train_sizes=[18], draws=1,
        search={"trials": 1, "rank": [2], "top_layers": [1], "epochs": 1},
    )  # fmt: skip
    for name, count in (("train", 60), ("test", 30)):
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
    assert all(isinstance(json.loads(v), list) for v in predictions["pred"])

    export = ("export", out, "--to", tmp_path / "adapter", "--model", "tiny-bert", "--size", 18)
    done = medsweep(*map(str, export), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "multi_label_classification" in (tmp_path / "adapter" / "README.md").read_text()
    done = medsweep("predict", tmp_path / "adapter", tmp_path / "test.jsonl", cwd=tmp_path)
    tuned = predictions[predictions["arm"] == "finetuned"].set_index("doc_id")["pred"]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {r["id"]: r["labels"] for r in rows} == {i: json.loads(v) for i, v in tuned.items()}


def test_cross_validation_goes_to_a_verdict_an_adapter_and_through_an_interruption(
    sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = sweep_file(
        canary=CANARY,
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
    driver = subprocess.Popen(
        command("run", path, "--out", out), cwd=tmp_path, env=environment(), start_new_session=True
    )
    wait_for(driver, out, "evaluation")
    driver.send_signal(signal.SIGINT)
    assert driver.wait(timeout=120) == 130
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
    exported = medsweep("export", out, "--to", tmp_path / "adapter", *chosen, cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert "24 of 24" in exported.stdout
    assert "fold 1 of 2 from 0" in (tmp_path / "adapter" / "README.md").read_text()
    assert "2-fold cross-validation" in (out / "report.html").read_text()


def _patterns(folder: Path) -> Path:
    path = folder / "patterns.yaml"
    path.write_text("default: never\nrules:\n  - {label: smoker, pattern: smokes}\n")
    return path


def test_a_frontier_sweep_goes_to_a_verdict_and_says_what_it_gave_up(
    sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = sweep_file(
        canary=CANARY,
        engine="shared",
        strategy="frontier",
        train_sizes=[6, 9, 18],
        search={"trials": 3, "rank": [2, 4], "top_layers": [1], "epochs": 2},
        arms=["majority"],
        reference={"arm": "tfidf"},
    )
    out = tmp_path / "out"
    done = medsweep("run", path, "--out", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    verdict = json.loads((out / "verdict.json").read_text())
    strategy = verdict["strategy"]
    assert strategy["name"] == "frontier"
    sizes = [c["train_size"] for c in [*verdict["cells"], *strategy["given_up"]]]
    assert sorted(sizes) == [6, 9, 18]
    assert not [n for n in verdict["notes"] if "failed" in n]
    assert "The strategy was frontier" in (out / "report.html").read_text()
    trials = pd.read_parquet(out / "trials.parquet")
    searched = trials[trials["phase"] == "search"].groupby("train_size").size()
    assert searched[6] == 3
    assert (searched.drop(6) == 1).all()
    assert not list((out / "state" / "trials").glob("*/state"))
    resumed = medsweep("resume", out, cwd=tmp_path)
    assert resumed.returncode == 0
    _no_text_anywhere(tmp_path, done.stdout + done.stderr)
