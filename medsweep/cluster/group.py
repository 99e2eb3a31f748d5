"""A host of several devices: workers of a Ray Train ``TorchTrainer`` that hold one base together.

A base that does not fit on one device is expensive to load, so its workers stay from trial to
trial and are told what to do next, evaluation by evaluation, through a mailbox. Each of them is a
:class:`medsweep.cluster.host.Host`; all do every command together.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import ray
from ray.exceptions import RayActorError

from medsweep.cluster.environment import ALLOCATOR
from medsweep.cluster.host import Host, Unforeseen
from medsweep.plan.plan import Workload
from medsweep.record.trial import Trial
from medsweep.training.recipe import TrialError

Command = tuple[str, tuple[Any, ...]]
# A trial failed, its workers ended and said why, or they were lost.
Outcome = tuple[Literal["done", "failed", "ended", "lost"], Any]

# Seconds that workers may take to leave before they are ended.
PATIENCE = 10
# Seconds that a worker may wait for the others, who load the base one after another. Ray Train
# notices lost workers by itself.
COLLECTIVE_TIMEOUT_S = 4 * 3600


class Mailbox:
    """An asynchronous actor between those who give commands and the workers that do them."""

    def __init__(self, workers: int) -> None:
        self._commands: list[asyncio.Queue[Command | None]] = [
            asyncio.Queue() for _ in range(workers)
        ]
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self._end: Outcome | None = None

    async def ask(self, command: Command) -> Outcome:
        """Have all workers do ``command``; the next one is given after this one's outcome."""
        if self._end is not None:
            return self._end
        for mine in self._commands:
            mine.put_nowait(command)
        return await self._outcomes.get()

    async def dismiss(self) -> None:
        """Let all workers leave."""
        for mine in self._commands:
            mine.put_nowait(None)

    async def next(self, worker: int) -> Command | None:
        """What this worker has to do next; None where it may leave."""
        return await self._commands[worker].get()

    async def answer(self, outcome: Outcome) -> None:
        """The outcome of the last command."""
        self._outcomes.put_nowait(outcome)

    async def end(self, outcome: Outcome) -> None:
        """There are no workers any more."""
        self._end = outcome
        self._outcomes.put_nowait(outcome)


class Group:
    """Stands where a host stands: has workers do what a host does.

    One base at a time: asked for another, it lets its workers leave and starts others. It dies
    with them, so that their trial goes on from its last state as after any host's death.

    Args:
        workload: as a host's.
        threads: compute threads of each worker.
        resources: of each worker, as Ray Train names them.
    """

    def __init__(self, workload: Workload, threads: int, resources: Mapping[str, float]) -> None:
        self._models, self._workload = workload.models, ray.put(workload)
        self._threads, self._resources = threads, dict(resources)
        self._scratch = Path(tempfile.mkdtemp(prefix="medsweep-"))
        self._model = ""
        self._mailbox: Any = None
        self._running: threading.Thread | None = None
        self._turn = threading.Lock()

    def attach(self, trial: Trial, state: bytes | None) -> None:
        """Open a slot for a trial, fresh or from a saved state; ends the slot before."""
        with self._turn:
            if self._mailbox is None or self._model != trial.cell.model:
                self._leave()
                self._start(trial.cell.model)
            self._ask("attach", trial, state)

    def advance(self, trial: Trial) -> tuple[dict[str, Any], bytes]:
        """Train to the next evaluation; gives that point and the state behind it."""
        with self._turn:
            found: tuple[dict[str, Any], bytes] = self._ask("advance", trial)
            return found

    def judge(self, trial: Trial, folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Save the trial's best adapter and predict its fold's test documents, once.

        Returns:
            As a host: the predictions, and what they took.
        """
        with self._turn:
            found: tuple[list[dict[str, Any]], dict[str, Any]] = self._ask("judge", trial, folder)
            return found

    def detach(self, trial: Trial) -> None:
        """Nothing to do: the next slot ends this one."""

    def close(self) -> None:
        """Let the workers leave, and remove what Ray Train wrote."""
        self._leave()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _ask(self, name: str, *arguments: Any) -> Any:
        if self._mailbox is None:
            raise TrialError("its workers have ended")
        said, value = ray.get(self._mailbox.ask.remote((name, arguments)))
        if said == "done":
            return value
        if said == "lost":
            shutil.rmtree(self._scratch, ignore_errors=True)
            os._exit(1)
        if said == "ended":
            self._leave()
        raise TrialError(value)

    def _start(self, model: str) -> None:
        workers = self._models[model].devices
        self._model = model
        self._mailbox = ray.remote(Mailbox).options(num_cpus=0).remote(workers)
        self._running = threading.Thread(
            target=self._fit, args=(model, workers, self._mailbox), daemon=True
        )
        self._running.start()

    def _leave(self) -> None:
        """End the workers that there are."""
        if self._mailbox is not None and self._running is not None:
            ray.get(self._mailbox.dismiss.remote())
            self._running.join(PATIENCE)
            ray.kill(self._mailbox)
        self._mailbox = self._running = None

    def _fit(self, model: str, workers: int, mailbox: Any) -> None:
        """Run the workers to their end."""
        outcome: Outcome = ("ended", "its workers have left")
        try:
            self._trainer(model, workers, mailbox).fit()
        except Exception as error:
            failures = list(getattr(error, "worker_failures", {}).values())
            # Where a worker dies, the others fail at what they wanted of it.
            told = failures and all(isinstance(failure, TrialError) for failure in failures)
            outcome = ("ended", str(failures[0])) if told else ("lost", None)
        # The mailbox may have been closed meanwhile, with workers that took too long to leave.
        with contextlib.suppress(RayActorError):
            ray.get(mailbox.end.remote(outcome))

    def _trainer(self, model: str, workers: int, mailbox: Any) -> Any:
        # Nothing is reported through Ray Train, so it needs neither metrics nor storage of its
        # own; paths of the sweep file are relative to where the sweep runs.
        os.environ |= {
            "RAY_CHDIR_TO_TRIAL_DIR": "0",
            "RAY_TRAIN_V2_ENABLED": "1",
            "RAY_TRAIN_METRICS_ENABLED": "0",
            "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
        }
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        gpu = self._resources.get("GPU", 0) > 0
        return TorchTrainer(
            work,
            train_loop_config={
                "workload": self._workload,
                "model": model,
                "threads": self._threads,
                "mailbox": mailbox,
            },
            # Readings of documents travel as objects, gradients from device to device.
            torch_config=TorchConfig(
                backend="cpu:gloo,cuda:nccl" if gpu else "gloo", timeout_s=COLLECTIVE_TIMEOUT_S
            ),
            scaling_config=ScalingConfig(
                num_workers=workers, use_gpu=gpu, resources_per_worker=self._resources
            ),
            run_config=RunConfig(  # type: ignore[call-arg] # Ray declares the older Train's
                name="workers",
                storage_path=str(self._scratch),
                worker_runtime_env={"env_vars": ALLOCATOR},
            ),
        )


def work(config: dict[str, Any]) -> None:
    """What each worker does until it may leave.

    A foreseen :class:`TrialError` comes to all workers alike and ends a trial. Any other error
    may have come to one alone, while the rest wait for it: Ray Train then ends all of them.
    """
    from ray.train import get_context

    mailbox, rank = config["mailbox"], get_context().get_world_rank()
    host = Host(ray.get(config["workload"]), config["threads"])
    try:
        host.load(config["model"])
        while (command := ray.get(mailbox.next.remote(rank))) is not None:
            name, arguments = command
            outcome: Outcome
            try:
                outcome = "done", getattr(host, name)(*arguments)
            except Unforeseen:
                raise
            except TrialError as error:
                outcome = "failed", str(error)
            if rank == 0:
                ray.get(mailbox.answer.remote(outcome))
    finally:
        host.close()
