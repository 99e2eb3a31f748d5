"""What surrounds the package: the Makefile's set-up and the container file."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Not as a part of the make that runs the tests, which would say where it enters and leaves.
    own = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=own, capture_output=True, text=True)


def script(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("python", "message"),
    [("exit 1", "needs Python 3.11 to 3.13"), ('case "$2" in *ensurepip) exit 1; esac', "-venv")],
)
def test_a_python_that_will_not_do_is_refused_in_one_line(
    tmp_path: Path, python: str, message: str
) -> None:
    path = script(tmp_path / "bin", python)
    done = make("venv", f"PYTHON={path}", f"VENV={tmp_path / 'venv'}")
    assert done.returncode == 2
    (line,) = done.stdout.splitlines()
    assert message in line
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(
    ("torch", "expected"),
    [
        ("2.12.1", "--no-deps torch==2.12.1"),
        ("/builds/torch.whl", "--no-deps /builds/torch.whl"),
        ("https://example.org/cpu", "--no-deps --index-url https://example.org/cpu torch==2"),
    ],
)
def test_torch_is_a_version_a_wheel_or_an_index(tmp_path: Path, torch: str, expected: str) -> None:
    log = tmp_path / "calls"
    script(tmp_path / "venv", "").parent.joinpath("bin").mkdir()
    script(tmp_path / "venv" / "bin", f'echo "$@" >> {log}; case "$1" in -c) echo 2.12.1; esac')
    done = make("venv", f"VENV={tmp_path / 'venv'}", f"TORCH={torch}", f"PYTHON={sys.executable}")
    assert done.returncode == 0, done.stderr
    calls = log.read_text().splitlines()
    assert expected in calls[0]
    assert all("--only-binary :all:" in call for call in calls if "pip install" in call)
    # What has been chosen is held when all else is installed.
    assert "torch==2.12.1\n" in (tmp_path / "venv" / "constraints.txt").read_text()


def test_constraints_name_every_dependency() -> None:
    text = (ROOT / "constraints.txt").read_text()
    pinned = {normal(line.split("==")[0]) for line in text.splitlines()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = sum(project["optional-dependencies"].values(), project["dependencies"])
    names = {normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in needed}
    assert names - pinned == {"medsweep"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_an_image_holds_no_notes_and_runs_as_nobody_in_particular() -> None:
    stages = (ROOT / "Dockerfile").read_text().split("\nFROM ")
    assert [stage.split()[0] for stage in stages[1:]] == ["debian:13-slim"] * 2
    assert "\nUSER 1000\n" in stages[-1]
    installs = [line for line in stages[1].splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert all("--only-binary :all:" in line for line in installs)
    # Everything is ignored but what is named: a checkout may have notes beside it.
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    copied = set(re.findall(r"^COPY (?!--)(.+) \S+$", "".join(stages), flags=re.M))
    named = {name for line in copied for name in line.split()}
    assert named == {line[1:] for line in ignored if line.startswith("!")}
