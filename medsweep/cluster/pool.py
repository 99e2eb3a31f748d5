"""Who trains where: gives each trial a host, preferring one that already holds its base."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from types import MappingProxyType
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayActorError

from medsweep.cluster.environment import ALLOCATOR

# Where a sweep has a model of several devices, each device serves a host and a worker: two hosts
# do not fit on one, nor two workers, and neither waits for the other.
HOST_SHARE, WORKER_SHARE = 0.51, 0.49
WORKER_CPUS = 0.001


@dataclass(slots=True)
class _Seat:
    actor: Any
    models: set[str] = field(default_factory=set)
    trials: dict[str, Any] = field(default_factory=dict)
    group: bool = False

    def cost_of(self, model: str) -> tuple[int, int, int]:
        """Order in which seats are taken: busy ones last, and those that lack the model.

        Holding a base twice costs its memory and its frozen prefix again; that is worth it where
        the host that has it is two trials busier.
        """
        busy, lacks = len(self.trials), bool(model) and model not in self.models
        return busy + 2 * lacks, busy, len(self.models)


def start_host(
    workload: Any,
    slots: int,
    threads: int,
    resources: Mapping[str, float],
    environment: Mapping[str, str],
) -> Any:
    """Start a host somewhere.

    Args:
        workload: a reference to it in Ray's object store.
        slots: trials that it trains at once.
        threads: that it computes with.
        resources: that Ray keeps for it.
        environment: variables that its process needs beside Ray's own.
    """
    # Imported here: a pool that is given its hosts has no other need of what they import.
    from medsweep.cluster.host import Host

    return (
        ray.remote(Host)
        .options(
            **resources,
            scheduling_strategy="SPREAD",
            # One thread a slot, so that slots of a shared engine can meet in one step.
            max_concurrency=slots + 2,
            runtime_env={"env_vars": dict(environment)} if environment else None,
        )
        .remote(workload, threads)
    )


class Pool:
    """An asynchronous actor that owns the hosts.

    A lease ends when the trial gives it back, when a trial of the same name asks again (Tune
    restarted it elsewhere), or when the trial's process is found dead: it is asked for a sign
    every ``patience`` seconds, which a dead one's Ray answers for it, and a busy one has time for.
    """

    def __init__(
        self,
        workload: Sequence[Any],
        hosts: int,
        slots: int,
        threads: int,
        resources: Mapping[str, float],
        sharded: Collection[str] = (),
        environment: Mapping[str, str] = MappingProxyType(ALLOCATOR),
        started: Sequence[Any] = (),
        patience: float = 10.0,
    ) -> None:
        (self._workload,) = workload
        self._slots, self._threads = slots, threads
        self._environment = dict(environment)
        self._resources, self._sharded = dict(resources), frozenset(sharded)
        self._seats = [_Seat(actor) for actor in started or (self._start() for _ in range(hosts))]
        if sharded:
            self._seats.append(_Seat(self._start_group(), group=True))
        self._free = asyncio.Condition()
        self._patience = patience
        self._watches: dict[str, asyncio.Task[None]] = {}

    def _start(self) -> Any:
        return start_host(
            self._workload, self._slots, self._threads, self._resources, self._environment
        )

    def _start_group(self) -> Any:
        from medsweep.cluster.group import Group

        gpu = WORKER_SHARE if self._resources["num_gpus"] else 0
        return (
            ray.remote(Group)
            .options(num_cpus=0, max_concurrency=4)
            .remote(self._workload, self._threads, {"CPU": WORKER_CPUS, "GPU": gpu})
        )

    def _open_to(self, trial: Any) -> list[_Seat]:
        """Seats that have room for a trial: the group's for a model of several devices."""
        group = trial.phase != "arm" and trial.cell.model in self._sharded
        slots = 1 if group else self._slots
        return [s for s in self._seats if s.group == group and len(s.trials) < slots]

    async def load(self, models: Sequence[str]) -> None:
        """Have each host load one of these bases, in turn; one that fails says so to its trial."""
        hosts = [seat for seat in self._seats if not seat.group]
        for seat, model in zip(hosts, cycle(models), strict=False):
            if model and model not in self._sharded:
                seat.models.add(model)
                seat.actor.load.remote(model)

    async def acquire(self, trial: Any, process: Any) -> tuple[int, Any]:
        """A seat number and its host, waiting until one has a free slot.

        Args:
            trial: what is to be done there.
            process: the actor that asks.
        """
        await self.release(trial)
        async with self._free:
            while not (open_ := self._open_to(trial)):
                await self._free.wait()
            model = trial.cell.model
            seat = min(open_, key=lambda s: s.cost_of(model))
            seat.trials[trial.name] = trial
            if model:
                seat.models.add(model)
            self._watches[trial.name] = asyncio.create_task(self._watch(trial, process))
            return self._seats.index(seat), seat.actor

    async def release(self, trial: Any) -> None:
        """End a lease; nothing happens where there is none."""
        async with self._free:
            watch = self._watches.pop(trial.name, None)
            if watch is not None and watch is not asyncio.current_task():
                watch.cancel()
            for seat in self._seats:
                if seat.trials.pop(trial.name, None) is not None:
                    # Not awaited: the host may be dead, or busy with another trial's step.
                    seat.actor.detach.remote(trial)
            self._free.notify_all()

    async def _watch(self, trial: Any, process: Any) -> None:
        """End a lease when its trial has died; cancelled when the lease ends otherwise."""
        while True:
            try:
                # Answered between two of the trial's steps at the earliest.
                await process.__ray_ready__.remote()
            except ActorDiedError:
                break
            except RayActorError:
                pass  # Out of reach for now.
            await asyncio.sleep(self._patience)
        await self.release(trial)

    async def replace(self, number: int, actor: Any) -> None:
        """Start a new host where one has died, once however many trials report it."""
        seat = self._seats[number]
        if seat.actor._actor_id == actor._actor_id:
            started = self._start_group() if seat.group else self._start()
            self._seats[number] = _Seat(started, group=seat.group)
            async with self._free:
                self._free.notify_all()

    async def close(self) -> None:
        """Let every host remove its temporary files."""
        await asyncio.gather(*(s.actor.close.remote() for s in self._seats), return_exceptions=True)
