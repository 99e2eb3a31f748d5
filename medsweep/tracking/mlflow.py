"""MLflow: one parent run a sweep, one child a trial, honest statuses.

Ray's own callback marks stopped trials FINISHED and, after a restart, makes a second run and
leaves the first RUNNING. Here a trial's run is brought up to its record, whatever MLflow has of it
already: after a crash, and where the server was away for a while. Runs are found by their tags.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from medsweep.errors import ConfigError
from medsweep.record.records import TrialRecord
from medsweep.tracking._base import Ending

T = TypeVar("T")

# MLflow has three terminal words; the exact one is in the tag `medsweep.status`.
STATUSES = {
    "finished": "FINISHED",
    "stopped": "KILLED",
    "failed": "FAILED",
    "interrupted": "KILLED",
}
BATCH = 1000  # metrics that one request may hold
ATTEMPTS = 6  # at an SQLite file that another sweep writes to; each waits for five seconds
REFUSALS = 3  # in a row, after which the store is taken to be away


@dataclass(slots=True)
class Told:
    """What MLflow knows of a trial: its run, its status, and how far its curve goes."""

    run_id: str
    status: str = "running"
    iteration: float = 0.0


class MlflowTracker:
    """Logs through the client, so that no ambient run or MLFLOW_RUN_ID interferes."""

    def __init__(self, uri: str | None, experiment: str) -> None:
        # A hospital's machine tells nobody that it is used, nor a terminal of every run.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        import mlflow
        from mlflow.tracking import MlflowClient

        # Behind the import, which sets up MLflow's own logging: its news of migrations is no news,
        # and errors are handled here.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.getLogger("mlflow").setLevel(logging.CRITICAL)

        self.uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or mlflow.get_tracking_uri()
        self._parent = ""
        self._told: dict[tuple[str, str], Told] = {}
        with self._reached(), _alone(self.uri):
            self._client = _patiently(lambda: MlflowClient(tracking_uri=self.uri))
            self._experiment = _patiently(lambda: _experiment_id(self._client, experiment))

    def start(self, name: str, key: str, params: Mapping[str, Any]) -> None:
        """Open the sweep's parent run, or take up the one of this key, with its children."""
        with self._reached():
            known = self._search(f"tags.`medsweep.sweep` = '{key}'")
            if known:
                self._parent = str(known[0].info.run_id)
                self._client.update_run(self._parent, status="RUNNING")
                for run in self._search(f"tags.`mlflow.parentRunId` = '{self._parent}'"):
                    tags = run.data.tags
                    child = (tags.get("medsweep.trial", ""), tags.get("medsweep.started", ""))
                    self._told.setdefault(child, _found(run))
            else:
                run = self._client.create_run(
                    self._experiment,
                    run_name=name,
                    tags={"medsweep.phase": "sweep", "medsweep.sweep": key},
                )
                self._parent = str(run.info.run_id)
            self._params(self._parent, params)

    def tell(self, record: TrialRecord) -> None:
        """Open the trial's child run, add points to its curves, end it: what is still missing."""
        key = record.trial.name, _started(record)
        told = self._told.get(key) or self._told.setdefault(key, self._open(record))
        try:
            self._bring_up(told, record)
        except Exception:
            # What has got through is not known; next time the run is looked up.
            self._told.pop(key, None)
            raise

    def finish(self, records: Iterable[TrialRecord], ending: Ending) -> bool:
        """End the parent run, and the children that were under way."""
        refused, in_a_row = 0, 0
        for record in records:
            try:
                self.tell(record)
                if record.status == "running":
                    self._end(
                        self._told[record.trial.name, _started(record)], "interrupted", record
                    )
                in_a_row = 0
            except Exception:
                refused, in_a_row = refused + 1, in_a_row + 1
                if in_a_row == REFUSALS:
                    raise
        for name, value in ending.summary.items():
            self._client.log_metric(self._parent, name, value)
        for name, tag in ending.tags.items():
            self._client.set_tag(self._parent, f"medsweep.{name}", tag)
        self._client.set_terminated(self._parent, STATUSES[ending.status])
        for path in filter(Path.exists, ending.files):
            if path.is_dir():
                self._client.log_artifacts(self._parent, str(path), artifact_path=path.name)
            else:
                self._client.log_artifact(self._parent, str(path))
        return not refused

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Whatever a store raises, SQLAlchemy's errors and a missing driver among it, as a line."""
        try:
            yield
        except ConfigError:
            raise
        except Exception as error:
            raise _explained(error, self.uri) from None

    def _search(self, filters: str) -> list[Any]:
        """All runs that are not deleted."""
        found: list[Any] = []
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], filter_string=filters, page_token=token
            )
            found += page
            token = page.token
            if not token:
                return found

    def _open(self, record: TrialRecord) -> Told:
        """A trial's run, made only if there is none. A trial that is tried again gets another."""
        trial = record.trial
        tags = {
            "mlflow.parentRunId": self._parent,
            "medsweep.trial": trial.name,
            "medsweep.started": _started(record),
        }
        known = self._search(" and ".join(f"tags.`{k}` = '{v}'" for k, v in tags.items()))
        if known:
            told = _found(known[0])
        else:
            run = self._client.create_run(
                self._experiment,
                start_time=_milliseconds(record.started),
                run_name=trial.name,
                tags={**tags, "medsweep.phase": trial.phase, "medsweep.status": "running"},
            )
            told = Told(str(run.info.run_id))
        cell = {"model": trial.cell.model, "train_size": trial.cell.size, "fold": trial.cell.fold}
        self._params(told.run_id, {**cell, "draw": trial.draw, **trial.recipe})
        return told

    def _bring_up(self, told: Told, record: TrialRecord) -> None:
        if told.status == record.status and record.status != "running":
            return
        if told.status != "running":
            self._client.update_run(told.run_id, status="RUNNING")
            self._client.set_tag(told.run_id, "medsweep.status", "running")
            told.status = "running"
        self._add_points(told, record)
        if record.status != "running":
            self._end(told, record.status, record)

    def _add_points(self, told: Told, record: TrialRecord) -> None:
        """Further points of the learning curve, at the time that the journal has for them."""
        from mlflow.entities import Metric

        metrics = [
            Metric(key, float(value), _milliseconds(time), int(values["step"]))
            for values, time in zip(record.evaluations, record.times, strict=True)
            if values["iteration"] > told.iteration
            for key, value in values.items()
            if isinstance(value, (int, float)) and key not in ("finished", "step")
        ]
        for start in range(0, len(metrics), BATCH):
            self._client.log_batch(told.run_id, metrics=metrics[start : start + BATCH])
        told.iteration = max((e["iteration"] for e in record.evaluations), default=0.0)

    def _end(self, told: Told, status: str, record: TrialRecord) -> None:
        """End a child run; the tag last, because it says that all before it has been told."""
        if record.error:
            # An arm's message may name a document.
            error = record.error if record.trial.phase != "arm" else "see `medsweep status`"
            self._client.set_tag(told.run_id, "medsweep.error", error)
        ended = _milliseconds(record.ended) if record.ended else None
        self._client.set_terminated(told.run_id, STATUSES[status], end_time=ended)
        self._client.set_tag(told.run_id, "medsweep.status", status)
        told.status = status

    def _params(self, run_id: str, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        self._client.log_batch(run_id, params=[Param(k, str(v)) for k, v in params.items()])


def _found(run: Any) -> Told:
    """What MLflow has of a run. A tag that is ahead of the status was not told to its end."""
    running = run.info.status == "RUNNING"
    status = "running" if running else run.data.tags.get("medsweep.status", "running")
    return Told(str(run.info.run_id), status, run.data.metrics.get("iteration", 0.0))


def _started(record: TrialRecord) -> str:
    """When a trial was proposed: what tells it from another attempt at the same."""
    return f"{record.started:.3f}"


def _experiment_id(client: Any, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name))
    if found.lifecycle_stage == "deleted":
        raise ConfigError(
            f"MLflow's experiment {name} was deleted",
            where="tracking.experiment",
            fix="name another, or `mlflow experiments restore` it",
        )
    return str(found.experiment_id)


def _milliseconds(time: float) -> int:
    return round(time * 1000)


# Of a store that is there but cannot be used: what MLflow says, what is wrong, what to do.
_CAUSES = (
    (
        "filesystem tracking backend",
        "MLflow keeps runs in folders no more",
        "name a database, sqlite:///FILE (`mlflow migrate-filestore` moves what is there), or set "
        "MLFLOW_ALLOW_FILE_STORE=true",
    ),
    (
        "database schema",
        "the database's tables are of another version of MLflow than this one",
        "save the file and run `mlflow db upgrade URI` where it is older, else install the newer "
        "MLflow, or name another database",
    ),
    (
        "Changing param values",
        "the run of this sweep is there already, and has another value for",
        "delete that run, or name another experiment",
    ),
    ("No module named", "the database's driver is not installed", "install"),
)
_PARAMETER = re.compile(r"'key': '(\w+)'")
_MODULE = re.compile(r"No module named '([\w.]+)'")


def _explained(error: Exception, uri: str) -> ConfigError:
    """The cause that a store's error has, and what helps against it."""
    where, said = f"tracking.uri: {_without_password(uri)}", str(error).strip()
    for words, problem, fix in _CAUSES:
        if words in said:
            if key := _PARAMETER.search(said):
                problem = f"{problem} {key.group(1)}"
            if module := _MODULE.search(said):
                fix = f"{fix} {module.group(1)}"
            return ConfigError(problem, where=where, fix=fix)
    first = _without_password((said or type(error).__name__).splitlines()[0])
    return ConfigError(
        f"MLflow cannot be reached ({first[:200]})",
        where=where,
        fix="start the server, correct the URI, or set tracking.enabled: false",
    )


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)


def _patiently(ask: Callable[[], T]) -> T:
    """The answer of a store that may be an SQLite file in another sweep's hands."""
    for _ in range(ATTEMPTS - 1):
        try:
            return ask()
        except Exception as error:
            if "database is locked" not in str(error):
                raise
    return ask()


def _alone(uri: str) -> AbstractContextManager[Any]:
    """No other sweep makes or migrates the tables of an SQLite file within the body.

    MLflow does that at the first use, and two processes that do it at once break the file.
    """
    path = uri.removeprefix("sqlite:///")
    return FileLock(f"{path}.lock", timeout=120) if path != uri else nullcontext()
