"""The wheel as it is installed: what the checkout has beside it is not there."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.conftest import make_documents, write_jsonl
from tests.report.simulate import predictions

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with the wheel, and else with what is present here."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    install = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet")
    subprocess.run([*install, "--no-index", "--no-deps", str(wheel)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # A path file in a folder that is named in one is not read: the editable install stays out.
    present = [p for p in sys.path if Path(p).name == "site-packages"]
    (packages / "present.pth").write_text("\n".join(present))
    return python.parent


def run(*command: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    files = {p for p in (ROOT / "medsweep").rglob("*") if p.is_file() and p.suffix != ".pyc"}
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {str(p.relative_to(ROOT)) for p in files}
    assert {n for n in names if n.startswith("medsweep/")} == expected
    assert any(n.endswith(".dist-info/licenses/LICENSE") for n in names)


def test_it_decides_away_from_the_checkout(scripts: Path, tmp_path: Path) -> None:
    where = run(scripts / "python", "-c", "import medsweep; print(medsweep.__file__)", cwd=tmp_path)
    assert Path(where).is_relative_to(scripts.parent)
    predictions(documents=60, sizes=(20,)).to_csv(tmp_path / "p.csv", index=False)
    rule = ("--reference", "finetuned:llama-3.1-8b", "--metric", "macro_f1", "--margin", "0.05")
    run(scripts / "medsweep", "decide", "p.csv", *rule, "--out", "decided", cwd=tmp_path)
    assert (tmp_path / "decided" / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_it_sweeps_away_from_the_checkout(scripts: Path, tiny_bert: Path, tmp_path: Path) -> None:
    labels = {"smoker": "CURRENT SMOKER", "former": "PAST SMOKER", "never": "NON-SMOKER"}
    for name, count in (("train", 30), ("test", 15)):
        rows = [{**r, "label": labels[r["label"]]} for r in make_documents(count, count, name)]
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    sweep = {
        "name": "tiny",
        "task": {"kind": "classification", "metric": "macro_f1"},
        "data": {"train": "train.jsonl", "test": "test.jsonl", "dev": 9},
        "models": [str(tiny_bert)],
        "reference": {"arm": "majority"},
        "arms": ["majority", "rules"],
        "train_sizes": [9],
        "draws": 1,
        "search": {"trials": 1, "rank": [2], "top_layers": [1], "epochs": 1},
        "decide": {"margin": 0.05},
        "tracking": {"enabled": False},
    }
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    run(scripts / "medsweep", "run", "sweep.yaml", "--out", "out", cwd=tmp_path)
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert {arm["arm"] for arm in verdict["arms"]} >= {"majority", "rules"}
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
