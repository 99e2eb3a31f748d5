"""The command as a user runs it: in a process of its own, or in this one, which spares imports."""

import contextlib
import io
import os
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

from medsweep.cli import _run

# A word that tests plant in documents, and look for everywhere else.
CANARY = "zyxcanary77"


def medsweep(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it, in a process of its own."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )


def started(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """The same, left running in a session of its own, which a signal can be sent to."""
    return subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def called(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The same command in this process: its output, errors and exit code, without its imports.

    For verbs and messages. What begins with an import, ends with a signal or starts Ray needs
    :func:`medsweep`.
    """
    given = [*map(str, arguments)]
    out, errors = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
        mock.patch.object(sys, "argv", ["medsweep", *given]),
        mock.patch.dict(os.environ, environment()),
    ):
        # Not `main`, which ends the process.
        code = _run()
    return subprocess.CompletedProcess(given, code, out.getvalue(), errors.getvalue())


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "medsweep", *map(str, arguments)]


def environment() -> dict[str, str]:
    return {"COLUMNS": "100", **os.environ}


def wait_for(driver: subprocess.Popen[str], out: Path, event: str, times: int = 1) -> Path:
    """The journal of a sweep under way, once it holds an event so often."""
    journal = out / "state" / "journal.jsonl"
    deadline = time.monotonic() + 400
    while not (journal.exists() and journal.read_text().count(f'"event": "{event}"') >= times):
        if driver.poll() is not None:
            # Its pipes are read to their ends, or the next test finds them open.
            raise AssertionError(f"the sweep ended too early: {driver.communicate()}")
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return journal


def no_text_anywhere(folder: Path, shown: str) -> None:
    """A word planted in every document is in the user's own files and nowhere else."""
    assert CANARY not in shown
    own = {folder / "train.jsonl", folder / "test.jsonl"}
    for path in folder.rglob("*"):
        if path.is_file() and path not in own:
            assert CANARY.encode() not in path.read_bytes(), path
