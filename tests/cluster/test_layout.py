"""A sweep on a cluster of two raylets that somebody else has started."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import CANARY, called, environment, medsweep, no_text_anywhere

ADDRESS = r"\d+(\.\d+){3}:\d+\n"
# In a process of its own: this one must stay free of Ray for the other tests.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""

# What a sweep must leave behind; Ray takes a moment to notice that its hosts are gone.
FREE = """
import sys, time, ray
ray.init(sys.argv[1], log_to_driver=False, logging_level="ERROR")
for _ in range(40):
    free = ray.available_resources().get("CPU", 0.0)
    if free == 2.0:
        break
    time.sleep(0.5)
print(sum(n["Alive"] for n in ray.nodes()), "nodes,", free, "CPUs free")
"""


@contextmanager
def cluster(log: Path, **variables: str) -> Iterator[str]:
    """The address of a cluster that is started with these variables."""
    script = [sys.executable, "-W", "ignore", "-c", CLUSTER]
    with (
        log.open("w") as written,
        subprocess.Popen(
            script,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
            env={**environment(), **variables},
        ) as running,
    ):
        assert running.stdin is not None
        assert running.stdout is not None
        yield next(line.strip() for line in running.stdout if re.match(ADDRESS, line))
        running.stdin.close()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with cluster(tmp_path / "cluster.log") as named:
        yield named


@pytest.mark.slow
def test_a_client_without_the_token_learns_so_in_one_line(
    sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 2}
    with cluster(tmp_path / "cluster.log", **token) as named:
        begun = time.monotonic()
        done = medsweep(
            "run", sweep_file(), "--out", tmp_path / "out", "--address", named, cwd=tmp_path
        )
        assert time.monotonic() - begun < 60
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert f"--address {named}: the cluster does not take this token" in last
    assert "InvalidAuthToken" not in done.stderr


@pytest.mark.slow
def test_two_raylets_share_a_frontier_sweep_which_says_what_it_gave_up(
    sweep_file: Callable[..., Path], tmp_path: Path, address: str
) -> None:
    path = sweep_file(
        canary=CANARY,
        engine="shared",
        strategy="frontier",
        train_sizes=[6, 9, 18],
        search={"trials": 3, "rank": [2, 4], "top_layers": [1], "epochs": 2},
        arms=["majority"],
        reference={"arm": "tfidf"},
        tracking={"enabled": False},
    )
    out = tmp_path / "out"
    done = medsweep("run", path, "--out", out, "--address", address, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    verdict = json.loads((out / "verdict.json").read_text())
    strategy = verdict["strategy"]
    assert strategy["name"] == "frontier"
    sizes = [c["train_size"] for c in [*verdict["cells"], *strategy["given_up"]]]
    assert sorted(sizes) == [6, 9, 18]
    assert not [n for n in verdict["notes"] if "failed" in n]
    assert "The strategy was frontier" in (out / "report.html").read_text()
    trials = pd.read_parquet(out / "trials.parquet")
    assert set(trials["status"]) <= {"finished", "stopped"}
    searched = trials[trials["phase"] == "search"].groupby("train_size").size()
    assert searched[6] == 3
    assert (searched.drop(6) == 1).all()
    assert not list((out / "state" / "trials").glob("*/state"))
    assert called("resume", out).returncode == 0
    no_text_anywhere(tmp_path, done.stdout + done.stderr)

    left = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FREE, address],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert left.stdout.strip() == "2 nodes, 2.0 CPUs free", left.stderr


@pytest.mark.slow
def test_no_cluster_there_is_one_line(sweep_file: Callable[..., Path], tmp_path: Path) -> None:
    asked = ("run", sweep_file(), "--out", tmp_path / "o", "--address", "127.0.0.1:1")
    done = called(*asked, cwd=tmp_path)
    assert done.returncode == 2
    assert "no Ray cluster answers" in done.stderr
