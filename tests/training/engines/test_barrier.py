import threading
import time
from collections.abc import Callable, Sequence

import pytest

from medsweep.training.engines.barrier import StepBarrier


class Steps:
    """Gives each trial its result after some steps, and notes who took part in which."""

    def __init__(self, **steps: int) -> None:
        self.left, self.members = dict(steps), list[tuple[str, ...]]()

    def open(self) -> int:
        return sum(n > 0 for n in self.left.values())

    def __call__(self, trials: Sequence[str]) -> dict[str, str | Exception]:
        self.members.append(tuple(sorted(trials)))
        for trial in trials:
            self.left[trial] -= 1
        return {t: f"{t} is done" for t in trials if not self.left[t]}


def together(*works: Callable[[], object]) -> list[object]:
    results: list[object] = [None] * len(works)

    def run(place: int) -> None:
        try:
            results[place] = works[place]()
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return results


def test_trials_that_wait_step_together_until_each_has_its_result() -> None:
    steps = Steps(one=2, two=3)
    barrier: StepBarrier[str] = StepBarrier(steps, steps.open, timeout=60)
    done = together(lambda: barrier.wait("one"), lambda: barrier.wait("two"))
    assert done == ["one is done", "two is done"]
    assert steps.members == [("one", "two"), ("one", "two"), ("two",)]


def test_nobody_waits_long_for_those_that_are_late() -> None:
    steps = Steps(one=1)
    barrier: StepBarrier[str] = StepBarrier(steps, lambda: 2, timeout=0.01)
    assert barrier.wait("one") == "one is done"


def test_an_error_as_a_result_is_its_own_callers() -> None:
    def step(trials: Sequence[str]) -> dict[str, str | Exception]:
        return {"one": ValueError("of one"), "two": "fine"}

    barrier: StepBarrier[str] = StepBarrier(step, lambda: 2, timeout=1)
    one, two = together(lambda: barrier.wait("one"), lambda: barrier.wait("two"))
    assert isinstance(one, ValueError)
    assert two == "fine"


def test_who_is_cancelled_stops_waiting() -> None:
    def step(trials: Sequence[str]) -> dict[str, str | Exception]:
        time.sleep(0.001)
        return {}

    def cancel() -> None:
        while not barrier._waiting:
            time.sleep(0.001)
        with barrier.paused():
            barrier.cancel("one", KeyError("gone"))

    barrier: StepBarrier[str] = StepBarrier(step, lambda: 1)
    error, _ = together(lambda: barrier.wait("one"), cancel)
    assert isinstance(error, KeyError)
    barrier.cancel("unknown", KeyError("nobody waits"))


def test_no_step_runs_within_a_pause() -> None:
    steps = Steps(one=1)
    barrier: StepBarrier[str] = StepBarrier(steps, lambda: 1)
    with barrier.paused():
        thread = threading.Thread(target=lambda: barrier.wait("one"))
        thread.start()
        time.sleep(0.05)
        assert steps.members == []
    thread.join(60)
    assert steps.members == [("one",)]


def test_a_step_that_raises_ends_in_the_caller_that_leads() -> None:
    def step(trials: Sequence[str]) -> dict[str, str | Exception]:
        raise RuntimeError

    barrier: StepBarrier[str] = StepBarrier(step, lambda: 1)
    with pytest.raises(RuntimeError):
        barrier.wait("one")
    assert not barrier._waiting
