"""Which Ray a sweep is for, told before Ray is imported.

Without an address a sweep starts a Ray of its own, whatever else runs on the machine. What stands
in the way of either is said by the name of the option or variable that it comes from.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medsweep.errors import ConfigError

# What Ray puts behind its folder for temporary files to name a socket, and what Linux can bind.
_SOCKET = "ray/session_2026-12-31_23-59-59_999999_{pid}/sockets/plasma_store"
_LONGEST_SOCKET = 107
_START = "start one with `ray up cluster.yaml` or `ray start --head`"


@dataclass(frozen=True, slots=True)
class RayAddress:
    """Of a cluster to join, HOST:PORT or ``auto``; and where it was named."""

    value: str
    where: str

    def check(self) -> None:
        """Fail at once where nobody listens: Ray itself would go on trying.

        Raises:
            ConfigError: nobody listens there, or it is an address that sweeps cannot use.
        """
        if self.value.startswith("ray://"):
            raise ConfigError(
                "a sweep cannot run through Ray Client",
                where=self.where,
                fix="give HOST:PORT of the head, from a node of the cluster, or `ray job submit`",
            )
        host, _, port = self.value.rpartition(":")
        if not host and self.value != "auto":
            raise ConfigError("is no address", where=self.where, fix="give HOST:PORT of the head")
        if not host:
            return
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except (OSError, ValueError, OverflowError) as error:
            raise self.unanswered(error) from None

    def unanswered(self, error: Exception) -> ConfigError:
        """That no Ray answers there."""
        unset = "" if self.where.startswith("--") else f"unset {self.where.split()[0]}, or "
        return ConfigError(
            f"no Ray cluster answers ({type(error).__name__})", where=self.where, fix=unset + _START
        )


def ray_address(
    option: str | None, environment: Mapping[str, str] = os.environ
) -> RayAddress | None:
    """The cluster to join; None where a Ray is to be started here.

    Args:
        option: ``--address``.
        environment: of which ``RAY_ADDRESS`` counts where there is no option.

    Raises:
        ConfigError: the cluster cannot be joined, or no Ray can be started here.
    """
    found = RayAddress(option, f"--address {option}") if option is not None else None
    if found is None and (named := environment.get("RAY_ADDRESS")):
        found = RayAddress(named, f"RAY_ADDRESS {named}")
    if found is None or found.value == "local":
        _check_room(environment)
        return None
    found.check()
    return found


def _check_room(environment: Mapping[str, str]) -> None:
    """Sockets have short names, and Ray's lie deep in its folder for temporary files."""
    name = "RAY_TMPDIR" if "RAY_TMPDIR" in environment else "TMPDIR"
    folder = environment.get(name, "/tmp")
    socket_name = Path(folder, _SOCKET.format(pid=os.getpid()))
    excess = len(os.fsencode(socket_name)) - _LONGEST_SOCKET
    if excess > 0:
        raise ConfigError(
            f"is {excess} bytes too long for the sockets that Ray makes below it",
            where=f"{name} {folder}",
            fix="set RAY_TMPDIR to a folder with a shorter path",
        )
