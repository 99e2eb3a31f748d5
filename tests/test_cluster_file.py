from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture
def cluster() -> dict:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


def test_ray_takes_it(cluster: dict) -> None:
    # Ray's own check of `ray up`; it lives in a private module, which is why it is pinned here.
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(cluster))


def test_nothing_listens_outside_and_everybody_shows_a_token(cluster: dict) -> None:
    head, worker = cluster["head_start_ray_commands"][-1], cluster["worker_start_ray_commands"][-1]
    assert f"--node-ip-address={cluster['provider']['head_ip']}" in head
    assert "--dashboard-host=127.0.0.1" in head
    for start in (head, worker):
        assert "RAY_AUTH_MODE=token" in start
        assert "--disable-usage-stats" in start
    assert "~/.ray/auth_token" in cluster["file_mounts"]


def test_every_host_installs_the_tested_versions(cluster: dict) -> None:
    assert any("constraints.txt" in c and "medsweep" in c for c in cluster["setup_commands"])
