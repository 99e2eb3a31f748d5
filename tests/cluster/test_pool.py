"""Which seat a trial gets, and how long it keeps it."""

import asyncio
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from medsweep.cluster.pool import Pool, _Seat
from tests.commands import environment


def seat(models: str, trials: int) -> _Seat:
    held: dict[str, Any] = {str(n): None for n in range(trials)}
    return _Seat(None, set(models), held)


def test_a_host_that_holds_the_model_comes_first_until_it_is_two_trials_busier() -> None:
    for busy, chosen in ((0, "holds"), (1, "holds"), (2, "empty"), (3, "empty")):
        seats = {"holds": seat("a", busy), "empty": seat("", 0)}
        assert min(seats, key=lambda s: seats[s].cost_of("a")) == chosen, busy


def test_an_empty_host_comes_before_one_with_another_model() -> None:
    seats = {"other": seat("b", 0), "empty": seat("", 0)}
    assert min(seats, key=lambda s: seats[s].cost_of("a")) == "empty"


def test_a_trial_without_a_model_goes_where_least_is_done() -> None:
    seats = {"busy": seat("a", 1), "free": seat("b", 0)}
    assert min(seats, key=lambda s: seats[s].cost_of("")) == "free"


def test_hosts_load_the_bases_that_come_first_in_turn_but_none_of_several_devices() -> None:
    loaded: list[list[str]] = [[], [], []]
    hosts = [SimpleNamespace(load=SimpleNamespace(remote=seen.append)) for seen in loaded]
    pool = Pool([None], hosts=3, slots=1, threads=1, resources={}, started=hosts)
    pool._sharded = frozenset({"huge"})
    asyncio.run(pool.load(["a", "huge"]))
    assert loaded == [["a"], [], ["a"]]
    asyncio.run(pool.load([]))
    assert loaded == [["a"], [], ["a"]]


# In a process of its own: this one must stay free of Ray for the other tests.
LEASES = """
import asyncio, time
import ray
from medsweep.record.trial import Cell, Trial
from medsweep.cluster.pool import Pool

@ray.remote(num_cpus=0)
class Bare:
    def __init__(self): self.gone = []
    def detach(self, trial): self.gone.append(trial.name)
    def detached(self): return self.gone

@ray.remote(num_cpus=0)
class Process:
    def step(self, seconds): time.sleep(seconds)

class Hosts(Pool):
    def _start(self): return Bare.remote()

def trial(name): return Trial(name, "search", Cell("m", 1))

async def main():
    pool = Hosts([None], hosts=1, slots=1, threads=1, resources={}, patience=0.1)
    idle, busy, last = (Process.remote() for _ in range(3))
    await asyncio.gather(*(t.__ray_ready__.remote() for t in (idle, busy, last)))
    _, host = await pool.acquire(trial("idle"), idle)
    waiting = asyncio.create_task(pool.acquire(trial("busy"), busy))
    await asyncio.sleep(1)
    assert not waiting.done(), "a living trial lost its slot"
    ray.kill(idle)
    await asyncio.wait_for(waiting, 20)
    busy.step.remote(600)
    waiting = asyncio.create_task(pool.acquire(trial("last"), last))
    await asyncio.sleep(1)
    assert not waiting.done(), "a busy trial lost its slot"
    ray.kill(busy)
    await asyncio.wait_for(waiting, 20)
    # Restarted elsewhere: the first process's end is nobody's any more.
    again = Process.remote()
    await pool.acquire(trial("last"), again)
    ray.kill(last)
    await asyncio.sleep(1)
    print(*await host.detached.remote(), sorted(pool._watches))
    await pool.release(trial("last"))

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
asyncio.run(main())
ray.shutdown()
"""


@pytest.mark.slow
def test_a_dead_trial_loses_its_slot_and_no_other_does() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LEASES],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert done.stdout.strip() == "idle busy last ['last']", done.stderr
