import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import make_documents, write_jsonl

# One trial is one of two hosts' work; two hosts make the order of ends vary, as in real sweeps.
SWEEP: dict[str, Any] = {
    "name": "tiny",
    "task": {"kind": "classification", "metric": "macro_f1"},
    "reference": {"arm": "tfidf"},
    "train_sizes": [9, 18],
    "draws": 2,
    "search": {"trials": 3, "rank": [2, 4], "top_layers": [1, "all"], "epochs": 2},
    "training": {"min_steps": 8, "evaluations": 4, "max_length": 32},
    "arms": ["majority", "tfidf", "probe"],
    "decide": {"margin": 0.05},
}


@pytest.fixture
def sweep_file(tmp_path: Path, tiny_bert: Path) -> Callable[..., Path]:
    """Writes a corpus and a sweep file; keywords replace top-level keys."""

    def write(canary: str = "", **changes: Any) -> Path:
        train = write_jsonl(tmp_path / "train.jsonl", make_documents(60, 1, "a", canary))
        test = write_jsonl(tmp_path / "test.jsonl", make_documents(30, 2, "b", canary))
        sweep = {
            **SWEEP,
            "data": {"train": str(train), "test": str(test), "dev": 18},
            "models": [str(tiny_bert)],
            "tracking": {"uri": f"sqlite:///{tmp_path / 'mlflow.db'}", "experiment": "tiny"},
            **changes,
        }
        path = tmp_path / "sweep.yaml"
        path.write_text(yaml.safe_dump(sweep))
        return path

    return write


def medsweep(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it, in a process of its own."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "medsweep", *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "100"}


def wait_for(driver: subprocess.Popen[str], out: Path, event: str, times: int = 1) -> Path:
    """The journal of a sweep under way, once it holds an event so often."""
    journal = out / "state" / "journal.jsonl"
    deadline = time.monotonic() + 200
    while not (journal.exists() and journal.read_text().count(f'"event": "{event}"') >= times):
        assert driver.poll() is None, "the sweep ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return journal
