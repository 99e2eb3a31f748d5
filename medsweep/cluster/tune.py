"""The sweep as one Ray Tune experiment: thin adapters around the coordinator."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.error import TuneError
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from medsweep.cluster.trainable import TuneTrial
from medsweep.search.coordinator import Coordinator


class Driven:
    """The coordinator as Tune calls it: where it fails, it has failed for good.

    Tune wraps what is raised here into text, takes some of it for a failure of the trial, and goes
    on; a full disk must stop the sweep, with its own message.
    """

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator
        self.failure: Exception | None = None

    @contextmanager
    def call(self) -> Iterator[Coordinator]:
        """The coordinator, for one call of Tune's."""
        if self.failure is not None:
            raise self.failure
        try:
            yield self._coordinator
        except Exception as error:
            self.failure = error
            raise


class Queue(Searcher):
    """Tune asks a searcher for every next trial; here that is the coordinator."""

    def __init__(self, driven: Driven) -> None:
        super().__init__(metric="score", mode="max")
        self._driven = driven

    def suggest(self, trial_id: str) -> Any:
        """The next trial's configuration, None for not now, FINISHED for none ever."""
        with self._driven.call() as coordinator:
            trial = coordinator.next_trial()
            if trial is not None:
                return trial.to_dict()
            return Searcher.FINISHED if coordinator.finished else None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing to do: :class:`Gate` hears of every end."""

    # The journal remembers; Tune's snapshots of the searcher hold nothing.
    def save(self, checkpoint_path: str) -> None:
        """Write an empty snapshot."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore from."""


class Gate(FIFOScheduler):
    """Tune tells a scheduler of every result; here that is the coordinator."""

    def __init__(self, driven: Driven) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._driven = driven

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Let a trial go on or stop it."""
        name = trial.config["name"]
        with self._driven.call() as coordinator:
            if coordinator.evaluated(name, result["evaluations"]):
                return str(TrialScheduler.CONTINUE)
            coordinator.ended(name, "stopped")
            return str(TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Take in the last result of a trial that says it is done."""
        name, error = trial.config["name"], result.get("error")
        with self._driven.call() as coordinator:
            coordinator.evaluated(name, result["evaluations"])
            coordinator.ended(name, "failed" if error else "finished", error)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Take in a trial whose process died more often than it is restarted."""
        with self._driven.call() as coordinator:
            coordinator.ended(trial.config["name"], "failed", "its process died")

    # Schedulers are snapshot with the experiment; this one has no state of its own.
    def __getstate__(self) -> dict[str, Any]:
        return {}


def run_experiment(coordinator: Coordinator, pool: Any, state: Path) -> None:
    """Run every trial to its end; returns when the coordinator has nothing left to do.

    Raises:
        RunError: the coordinator's, such as of a full disk.
    """
    driven = Driven(coordinator)
    # Tune's files are only its own: the journal and the trials' folders are the truth.
    scratch = state / "tune"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        _run(driven, pool, state, scratch)
    except TuneError:
        if driven.failure is None:
            raise
    if driven.failure is not None:
        raise driven.failure from None
    shutil.rmtree(scratch, ignore_errors=True)


def _run(driven: Driven, pool: Any, state: Path, scratch: Path) -> None:
    tune.run(
        tune.with_parameters(TuneTrial, pool=pool, root=str(state / "trials")),
        name="sweep",
        storage_path=str(scratch),
        resources_per_trial={"cpu": 0.001},
        num_samples=-1,
        search_alg=Queue(driven),
        scheduler=Gate(driven),
        reuse_actors=True,
        max_failures=3,
        raise_on_failed_trial=False,
        trial_name_creator=lambda trial: trial.config["name"],
        trial_dirname_creator=lambda trial: trial.config["name"],
        verbose=0,
    )
