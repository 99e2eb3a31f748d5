"""Which Ray a sweep is for, and what stands in the way."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from medsweep.cluster.address import RayAddress, ray_address
from medsweep.errors import ConfigError


@pytest.fixture
def listening() -> Iterator[int]:
    """A port that somebody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("environment", [{}, {"RAY_ADDRESS": ""}, {"TMPDIR": "/tmp"}])
def test_without_an_address_a_sweep_starts_its_own(environment: dict[str, str]) -> None:
    assert ray_address(None, environment) is None
    assert ray_address("local", {**environment, "RAY_ADDRESS": "127.0.0.1:1"}) is None


@pytest.mark.parametrize(
    ("option", "environment", "problem"),
    [
        (None, {"RAY_ADDRESS": "127.0.0.1:1"}, "^RAY_ADDRESS 127.0.0.1:1: no Ray .* unset RAY_ADD"),
        ("127.0.0.1:1", {}, "^--address 127.0.0.1:1: no Ray cluster answers .*; start one"),
        ("127.0.0.1:99999999", {}, "^--address 127.0.0.1:99999999: no Ray cluster answers"),
        ("localhost", {}, "^--address localhost: is no address; give HOST:PORT"),
        ("", {}, "is no address"),
        ("ray://h:10001", {}, "^--address ray://h:10001: a sweep cannot run through Ray Client"),
        (None, {"RAY_ADDRESS": "ray://h:10001"}, "^RAY_ADDRESS ray://h:10001: a sweep cannot"),
        (None, {"TMPDIR": "/tmp/" + "x" * 60}, "^TMPDIR /tmp/x+: is .* bytes too long for the so"),
        (
            None,
            {"RAY_TMPDIR": "/" + "y" * 60, "TMPDIR": "/tmp"},
            "^RAY_TMPDIR /y+: is .* bytes",
        ),
    ],
)
def test_what_stands_in_the_way_is_named(
    option: str | None, environment: dict[str, str], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem) as error:
        ray_address(option, environment)
    assert "\n" not in str(error.value)


def test_the_option_goes_before_the_variable(listening: int) -> None:
    option = f"127.0.0.1:{listening}"
    assert ray_address(option, {"RAY_ADDRESS": "127.0.0.1:1"}) == RayAddress(
        option, f"--address {option}"
    )
    # Of a long name only a Ray that is started here makes sockets.
    assert ray_address(option, {"TMPDIR": "/" + "x" * 200}) is not None
