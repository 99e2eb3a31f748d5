"""Ray as a sweep uses it: started here or joined, laid out in hosts, checked for storage."""

from __future__ import annotations

import gc
import logging
import os
import sys
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from rich.console import Console

from medsweep.cluster.address import RayAddress
from medsweep.cluster.environment import ALLOCATOR
from medsweep.cluster.pool import HOST_SHARE, Pool, start_host
from medsweep.errors import ConfigError
from medsweep.interrupt import terminated_as_interrupted
from medsweep.plan.plan import Plan, Workload
from medsweep.plan.slots import slots_of


@dataclass(frozen=True, slots=True)
class Cluster:
    """How the machines are divided.

    Attributes:
        hosts: actors that hold bases, one an accelerator, or one a share of the cores.
        threads: compute threads of each.
        slots: trials that hosts train at once, over all of them.
        gpus: accelerators of each host, 0 or 1.
        remote: whether Ray was joined, not started here.
        group: whether one more trial has workers of its own, which share the devices with hosts.
        actors: the hosts that were started.
    """

    hosts: int
    threads: int
    slots: int
    gpus: int
    remote: bool
    group: bool = False
    actors: list[Any] = field(default_factory=list)

    @property
    def concurrency(self) -> int:
        """Trials that may be under way at once."""
        return self.slots + self.group

    def start_pool(self, workload: Workload) -> Any:
        """Start the hosts; documents travel through the object store, once a node."""
        reference = ray.put(workload)
        sharded = [name for name, model in workload.models.items() if model.devices > 1]
        gpus = self.gpus * (HOST_SHARE if sharded else 1)
        # Trials ask for next to nothing, and must find that beside the hosts.
        resources = {"num_cpus": max(0.1, self.threads - 0.5), "num_gpus": gpus}
        slots, environment = self.slots // self.hosts, ALLOCATOR if self.remote else {}
        # Started from here, so that they do not wait for the pool's own process.
        self.actors.extend(
            start_host(reference, slots, self.threads, resources, environment)
            for _ in range(self.hosts)
        )
        return (
            ray.remote(Pool)
            .options(num_cpus=0)
            .remote(
                # In a list Ray leaves a reference one; the pool has no need of the documents.
                [reference],
                self.hosts,
                slots,
                self.threads,
                resources,
                sharded,
                environment,
                self.actors,
            )
        )

    def load(self, pool: Any, models: Sequence[str]) -> None:
        """Have each host load one of these bases, in turn, before its first trial asks for it."""
        pool.load.remote(models)

    def close(self, pool: Any) -> None:
        """Let hosts remove their temporary files, and end them."""
        try:
            ray.get(pool.close.remote(), timeout=20)
        except Exception:  # a dead pool or host has nothing left to clean
            logging.getLogger(__name__).debug("the pool was gone already")
        ray.kill(pool)

    def check_storage(self, out: Path) -> None:
        """Every node must see the sweep's folder.

        Raises:
            ConfigError: one does not; found before the first trial, not at its end.
        """
        if not self.remote:
            return
        token = uuid.uuid4().hex
        probe = out / "state" / f"probe-{token}"
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.write_text(token)
        try:
            for node in (n for n in ray.nodes() if n["Alive"]):
                affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                    node["NodeID"], soft=False
                )
                sees = ray.remote(_reads).options(num_cpus=0, scheduling_strategy=affinity)
                if not ray.get(sees.remote(str(probe), token), timeout=60):
                    raise ConfigError(
                        f"node {node['NodeManagerAddress']} does not see this folder",
                        where=str(out),
                        fix="put --out on storage that every node mounts at the same path",
                    )
        finally:
            probe.unlink(missing_ok=True)


def _reads(path: str, token: str) -> bool:
    found = Path(path)
    return found.exists() and found.read_text() == token


@contextmanager
def connected(address: RayAddress | None, plan: Plan, console: Console) -> Iterator[Cluster]:
    """Start or join Ray, and leave it as it was found."""
    said = "starting Ray" if address is None else f"joining Ray at {address.value}"
    with console.status(said), warnings.catch_warnings():
        # Ray warns about accelerator variables that a later release will treat otherwise.
        warnings.simplefilter("ignore", FutureWarning)
        if address is None:
            _start()
        else:
            _join(address)
    try:
        with terminated_as_interrupted():
            yield _lay_out(plan, remote=address is not None)
    finally:
        _shut_down()


def _start() -> None:
    # Workers of a Ray that is started here have its environment from their start. Asking for it
    # host by host takes seconds, and processes that Ray has at hand are not used.
    with _environment(ALLOCATOR):
        try:
            ray.init(
                # A Ray that somebody else has started on this machine is left alone.
                address="local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                num_cpus=_cores(),
            )
        except (OSError, ValueError, RuntimeError) as error:
            said = " ".join(str(error).split())[:300] or type(error).__name__
            raise ConfigError(f"Ray cannot be started on this machine ({said})") from None


def _join(address: RayAddress) -> None:
    try:
        if address.value != "auto":
            _show_token(address)
        ray.init(address=address.value, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise address.unanswered(error) from None


def _show_token(address: RayAddress) -> None:
    """Ask the head once: with a wrong token :func:`ray.init` asks for 20 seconds, and aloud."""
    try:
        with _silent():
            GcsClient(address=address.value)
    except ray.exceptions.AuthenticationError:
        raise ConfigError(
            "the cluster does not take this token",
            where=address.where,
            fix="set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or ~/.ray/auth_token as on its head",
        ) from None
    except ray.exceptions.RayError:
        # What else is wrong is said by the connection itself.
        return


@contextmanager
def _silent() -> Iterator[None]:
    """What Ray's C++ part writes on standard error goes nowhere."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _shut_down() -> None:
    """End or leave Ray.

    A handle of an actor that is collected in another thread meanwhile, such as MLflow's, reaches
    for Ray's worker, and where that has just ended Ray ends the whole process without a word.
    """
    gc.collect()
    gc.disable()
    try:
        ray.shutdown()
    finally:
        gc.enable()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """What is started within the body has these variables, unless they are set already."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _lay_out(plan: Plan, *, remote: bool) -> Cluster:
    resources, workload = plan.sweep.resources, plan.workload
    total = ray.cluster_resources()
    cores, gpus = int(total.get("CPU", 1)), int(total.get("GPU", 0))
    _check_devices(workload, cores, gpus)
    if gpus:
        hosts = resources.hosts or gpus
        if hosts > gpus:
            raise ConfigError(
                f"{hosts} hosts of a GPU each need more than the {gpus} GPUs there are",
                where="resources.hosts",
                fix="ask for fewer: a host trains many adapters on its GPU",
            )
        threads = resources.threads or max(1, cores // hosts)
    else:
        # Two threads on two busy cores run slower than one: threads wait for the slowest.
        threads = resources.threads or max(1, cores // 8)
        hosts = resources.hosts or max(1, cores // threads)
    slots = slots_of(plan, _gpu_memory() if gpus else None)
    if hosts * threads > cores:
        raise ConfigError(
            f"{hosts} hosts of {threads} threads need more than the {cores} cores there are",
            where="resources",
            fix="ask for fewer",
        )
    group = any(model.devices > 1 for model in workload.models.values())
    return Cluster(hosts, threads, hosts * slots, 1 if gpus else 0, remote, group)


def _gpu_memory() -> tuple[int, ...]:
    # Here because a driver that only schedules trials has no other need of torch.
    from medsweep.models.machine import gpu_memory

    return gpu_memory()


def _check_devices(workload: Workload, cores: int, gpus: int) -> None:
    for name, model in workload.models.items():
        if model.devices > (gpus or cores):
            raise ConfigError(
                f"{name} needs {model.devices} devices; Ray has {gpus or cores}",
                where="models",
                fix="ask for fewer, or join a larger cluster with --address",
            )


def _cores() -> int:
    """The cores this process may use, which in a container are fewer than the machine's."""
    return len(os.sched_getaffinity(0))
