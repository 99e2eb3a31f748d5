"""The endpoint arm against `transformers serve` on this machine, with a tiny model."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from medsweep.arms import make_arm
from medsweep.models import ModelFolder
from medsweep.tasks import make_task
from tests.documents import classification, without_gold

pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path: Path, chat_decoder: ModelFolder) -> Iterator[tuple[str, str]]:
    """Address of a server, and what it calls its model."""
    from transformers.utils.import_utils import is_serve_available

    if not is_serve_available():
        pytest.skip("`transformers serve` needs openai, fastapi and uvicorn")
    model = chat_decoder.path
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "server.log"
    with log.open("wb") as stream:
        # As the command `transformers serve` does, but in this Python.
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "transformers.cli.transformers", "serve", str(model)),
                *("--host", "127.0.0.1", "--port", str(port), "--device", "cpu"),
            ],
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}/v1", str(model)
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)


def test_a_served_model_is_asked_about_each_document(served: tuple[str, str]) -> None:
    url, model = served
    task = make_task("classification", ("former", "never", "smoker"), "macro_f1")
    options = {"url": url, "model": model, "max_tokens": 16, "concurrency": 2}
    arm = make_arm("endpoint", task, options=options)
    documents = without_gold(classification(3, 2, "t"))
    found = arm.predict([], documents, seed=0)
    assert [p.doc_id for p in found] == [d.id for d in documents]
    # Random weights write no answer; that counts as wrong, and is no error.
    assert {p.label for p in found} <= {*task.labels, None}
    assert found == arm.predict([], documents, seed=0)
