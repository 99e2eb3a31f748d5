"""A sweep whose model is trained by two workers of Ray Train, on the CPUs of this machine."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest

from medsweep.cluster.layout import _check_devices
from medsweep.errors import ConfigError
from tests.commands import CANARY, called, no_text_anywhere, started, wait_for


@pytest.mark.slow
def test_a_model_of_two_devices_ends_in_a_verdict_though_a_worker_dies(
    sweep_file: Callable[..., Path], tmp_path: Path, tiny_bert: Path
) -> None:
    path = sweep_file(
        canary=CANARY,
        models=[{"id": str(tiny_bert), "devices": 2}],
        train_sizes=[9],
        arms=["majority", "probe"],
        search={"trials": 2, "rank": [2, 4]},
        training={"min_steps": 60, "evaluations": 12, "max_length": 32},
        early_stopping=None,
        tracking={"enabled": False},
    )
    out = tmp_path / "out"
    driver = started("run", path, "--out", out, cwd=tmp_path)
    journal = wait_for(driver, out, "evaluation")
    children = psutil.Process(driver.pid).children(recursive=True)
    workers = [p for p in children if p.name().startswith("ray::RayTrainWo")]
    assert len(workers) == 2
    workers[1].kill()
    said = "".join(driver.communicate(timeout=500))
    assert driver.returncode == 0, said

    # Every trial goes on from its last evaluation: none is missing and none is twice.
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    points = pd.DataFrame(
        {"trial": e["trial"], "iteration": e["values"]["iteration"]}
        for e in events
        if e["event"] == "evaluation"
    )
    for _, found in points.groupby("trial")["iteration"]:
        assert found.tolist() == list(range(1, 13))
    assert pd.read_parquet(out / "trials.parquet")["status"].tolist() == ["finished"] * 4
    verdict = json.loads((out / "verdict.json").read_text())
    assert [(c["train_size"], c["draws"]) for c in verdict["cells"]] == [(9, 2)]
    predictions = pd.read_parquet(out / "predictions.parquet")
    assert predictions.groupby("arm").size().to_dict() == {
        "finetuned": 60,
        "majority": 60,
        "tfidf": 60,
    }

    # The adapter is a plain PEFT folder that one device reads.
    chosen = ("--model", "tiny-bert", "--size", "9")
    exported = called("export", out, "--to", tmp_path / "adapter", *chosen, cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert "30 of 30" in exported.stdout
    no_text_anywhere(tmp_path, said)


@pytest.mark.parametrize(("gpus", "enough"), [(0, True), (2, False), (4, True)])
def test_more_devices_than_there_are_is_refused(gpus: int, enough: bool) -> None:
    models = {"small": SimpleNamespace(devices=1), "large": SimpleNamespace(devices=4)}
    wrong = pytest.raises(ConfigError, match="large needs 4 devices; Ray has 2")
    with nullcontext() if enough else wrong:
        _check_devices(SimpleNamespace(models=models), cores=8, gpus=gpus)
