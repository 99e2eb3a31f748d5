"""Nobody who waits for a sweep hears nothing for longer than half a minute."""

import os
import pty
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.commands import command, environment, medsweep, wait_for

pytestmark = pytest.mark.slow

SILENCE = 30.0  # seconds


def test_a_run_in_a_pipe_is_never_silent_for_half_a_minute(
    sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    path, out = sweep_file(train_sizes=[9], draws=1, arms=["majority"]), tmp_path / "out"
    environment_ = {**environment(), "PYTHONUNBUFFERED": "1"}
    began = time.monotonic()
    run = subprocess.Popen(
        command("run", path, "--out", out), cwd=tmp_path, env=environment_,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    heard: list[tuple[float, str]] = []
    assert run.stdout is not None
    follower: subprocess.Popen[str] | None = None
    for line in run.stdout:
        heard.append((time.monotonic() - began, line.rstrip("\n")))
        if follower is None and "starting Ray" in line:
            wait_for(run, out, "start")
            follower = subprocess.Popen(
                command("status", "--follow", out), cwd=tmp_path, env=environment(),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
    run.stdout.close()
    assert run.wait() == 0, heard[-5:]
    times = [0.0, *(at for at, _ in heard), time.monotonic() - began]
    assert max(b - a for a, b in pairwise(times)) <= SILENCE, heard[-40:]

    said = "\n".join(line for _, line in heard)
    steps = (
        "reading the sweep file", "reading documents", "starting Ray", "starting hosts",
        "0/15 steps", "15/15 steps, 1/1 cells done", "deciding", "logging to MLflow",
    )  # fmt: skip
    places = [said.find(step) for step in steps]
    assert -1 not in places, said
    assert places == sorted(places)
    assert not [c for c in said if ord(c) < 32 and c != "\n"]

    assert follower is not None
    followed, _ = follower.communicate(timeout=60)
    assert follower.returncode == 0
    assert "/15 steps" in followed
    assert "tiny: done; trials: 0 running" in followed or "tiny: done; trials: 0 interr" in followed

    quiet = medsweep("resume", "--quiet", out, cwd=tmp_path)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert "report: " in quiet.stdout


def test_nor_in_a_terminal(sweep_file: Callable[..., Path], tmp_path: Path) -> None:
    path = sweep_file(train_sizes=[9], draws=1, arms=["majority"], search={"trials": 1})
    terminal, end = pty.openpty()
    began = time.monotonic()
    run = subprocess.Popen(
        command("run", path, "--out", tmp_path / "out"), cwd=tmp_path,
        env={**environment(), "TERM": "xterm"}, stdout=end, stderr=end, stdin=end,
    )  # fmt: skip
    os.close(end)
    times, shown = [0.0], b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux's way to say that nobody holds the other end any more
            break
        times.append(time.monotonic() - began)
        shown += piece
    os.close(terminal)
    assert run.wait() == 0, shown[-2000:]
    assert max(b - a for a, b in pairwise(times)) <= SILENCE
    said = shown.decode()
    # Rich's code for "up a line": the table of cells stays in its place.
    assert "\x1b[1A" in said
    assert "1/1 cells done" in said
    assert "report: " in said
