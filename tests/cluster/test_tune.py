from typing import Any

import pytest

from medsweep.cluster.environment import quiet
from medsweep.errors import RunError

quiet()

from medsweep.cluster.tune import Driven, Gate, Queue  # noqa: E402 - Ray reads its environment


class Full:
    """A coordinator whose disk is full."""

    finished = False
    calls = 0

    def next_trial(self) -> None:
        return None

    def ended(self, *_: object) -> None:
        self.calls += 1
        raise RunError("cannot be written")


class Ended:
    config: dict[str, Any] = {"name": "t"}  # noqa: RUF012 - as Tune's


def test_a_coordinator_that_has_failed_is_asked_no_more() -> None:
    full = Full()
    driven = Driven(full)  # type: ignore[arg-type]
    queue, gate = Queue(driven), Gate(driven)
    assert queue.suggest("t") is None
    for _ in range(2):
        # Tune takes the first for a failure of the trial, and goes on.
        with pytest.raises(RunError, match="cannot be written"):
            gate.on_trial_error(None, Ended())
    with pytest.raises(RunError, match="cannot be written"):
        queue.suggest("t")
    assert full.calls == 1
    assert isinstance(driven.failure, RunError)
