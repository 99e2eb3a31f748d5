"""Folders of sweeps that an older medsweep wrote; made by version 0.1.0 at commit 736adcc."""

import json
import shutil
from pathlib import Path

import pytest

from tests.commands import called, medsweep

WRITTEN = Path(__file__).parent.parent / "data" / "sweep-0.1"
# Stands for the folder that the sweeps were run in.
HERE = b"@HERE@"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shutil.copytree(WRITTEN, tmp_path, dirs_exist_ok=True)
    for path in tmp_path.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".yaml"):
            path.write_bytes(path.read_bytes().replace(HERE, str(tmp_path).encode()))
    return tmp_path


def test_a_finished_one_is_told_reported_and_exported(home: Path) -> None:
    done = home / "done"
    said = called("resume", done, cwd=home)
    assert said.returncode == 0, said.stderr
    assert "tiny-bert" in said.stdout
    said = called("status", done, cwd=home)
    assert said.returncode == 0, said.stderr
    said = called("report", done, cwd=home)
    assert said.returncode == 0, said.stderr
    assert (done / "report.html").exists()
    chosen = ("--model", "tiny-bert", "--size", "18")
    said = called("export", done, "--to", home / "adapter", *chosen, cwd=home)
    assert said.returncode == 0, said.stderr
    assert (home / "adapter" / "adapter_config.json").exists()


@pytest.mark.slow
def test_an_interrupted_one_is_finished_with_the_same_trials(home: Path) -> None:
    done, torn = home / "done", home / "torn"
    said = medsweep("resume", torn, cwd=home)
    assert said.returncode == 0, said.stderr
    wanted, found = (json.loads((f / "verdict.json").read_text()) for f in (done, torn))
    for before, after in zip(wanted["cells"], found["cells"], strict=True):
        assert (before["model"], before["train_size"]) == (after["model"], after["train_size"])
        assert before["trial"] == after["trial"]
