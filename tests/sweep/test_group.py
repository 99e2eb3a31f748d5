"""A sweep whose model is trained by two workers of Ray Train, on the CPUs of this machine."""

import json
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest

from medsweep.errors import ConfigError
from medsweep.sweep.cluster import _check_devices
from tests.sweep.conftest import command, environment, medsweep, wait_for
from tests.sweep.test_run import CANARY, _no_text_anywhere


@pytest.mark.slow
def test_a_model_of_two_devices_ends_in_a_verdict(
    sweep_file: Callable[..., Path], tmp_path: Path, tiny_bert: Path
) -> None:
    path = sweep_file(
        canary=CANARY,
        models=[{"id": str(tiny_bert), "devices": 2}],
        train_sizes=[9],
        arms=["majority", "probe"],
        search={"trials": 2, "rank": [2, 4], "epochs": 2},
    )
    out = tmp_path / "out"
    done = medsweep("run", path, "--out", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    verdict = json.loads((out / "verdict.json").read_text())
    assert [(c["train_size"], c["draws"]) for c in verdict["cells"]] == [(9, 2)]
    predictions = pd.read_parquet(out / "predictions.parquet")
    assert predictions.groupby("arm").size().to_dict() == {
        "finetuned": 60,
        "majority": 60,
        "tfidf": 60,
    }
    trials = pd.read_parquet(out / "trials.parquet")
    assert set(trials["status"]) <= {"finished", "stopped"}

    # The adapter is a plain PEFT folder that one device reads.
    chosen = ("--model", "tiny-bert", "--size", "9")
    exported = medsweep("export", out, "--to", tmp_path / "adapter", *chosen, cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert "30 of 30" in exported.stdout
    _no_text_anywhere(tmp_path, done.stdout + done.stderr)


@pytest.mark.slow
def test_a_trial_goes_on_when_a_worker_dies(
    sweep_file: Callable[..., Path], tmp_path: Path, tiny_bert: Path
) -> None:
    path = sweep_file(
        models=[{"id": str(tiny_bert), "devices": 2}],
        train_sizes=[9],
        draws=1,
        arms=["majority"],
        search={"trials": 1, "rank": [2]},
        training={"min_steps": 120, "evaluations": 12, "max_length": 32},
        early_stopping=None,
        tracking={"enabled": False},
    )
    out = tmp_path / "out"
    driver = subprocess.Popen(
        command("run", path, "--out", out),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    journal = wait_for(driver, out, "evaluation")
    children = psutil.Process(driver.pid).children(recursive=True)
    workers = [p for p in children if p.name().startswith("ray::RayTrainWo")]
    assert len(workers) == 2
    workers[1].kill()
    _, errors = driver.communicate(timeout=300)
    assert driver.returncode == 0, errors

    events = [json.loads(line) for line in journal.read_text().splitlines()]
    points = [e["values"]["iteration"] for e in events if e["event"] == "evaluation"]
    assert points == list(range(1, 13))
    assert pd.read_parquet(out / "trials.parquet")["status"].tolist() == ["finished"] * 2


@pytest.mark.parametrize(("gpus", "enough"), [(0, True), (2, False), (4, True)])
def test_more_devices_than_there_are_is_refused(gpus: int, enough: bool) -> None:
    models = {"small": SimpleNamespace(devices=1), "large": SimpleNamespace(devices=4)}
    wrong = pytest.raises(ConfigError, match="large needs 4 devices; Ray has 2")
    with nullcontext() if enough else wrong:
        _check_devices(SimpleNamespace(models=models), cores=8, gpus=gpus)
