"""MLflow: one parent run a sweep, one child a trial, honest statuses.

Ray's own callback marks stopped trials FINISHED and, after a restart, makes a second run and
leaves the first RUNNING. Here a trial's run is brought up to its record, whatever MLflow has of it
already: after a crash, and where the server was away for a while.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from medsweep.errors import ConfigError
from medsweep.sweep.items import Status
from medsweep.sweep.records import Record

# MLflow has three terminal words; the exact one is in the tag `medsweep.status`.
STATUSES = {
    "finished": "FINISHED",
    "stopped": "KILLED",
    "failed": "FAILED",
    "interrupted": "KILLED",
}
BATCH = 1000  # metrics that one request may hold


@dataclass(slots=True)
class Told:
    """What MLflow knows of a trial: its run, its status, and how many points of its curve."""

    run_id: str
    status: str = "running"
    points: int = 0


class MlflowTracker:
    """Logs through the client, so that no ambient run or MLFLOW_RUN_ID interferes."""

    def __init__(self, uri: str | None, experiment: str) -> None:
        import mlflow
        from mlflow.tracking import MlflowClient

        # Behind the import, which sets up MLflow's own logging: its news of migrations is no news.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.getLogger("mlflow").setLevel(logging.CRITICAL)

        self.uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or mlflow.get_tracking_uri()
        with self._reached(), _alone(self.uri):
            self._client = MlflowClient(tracking_uri=self.uri)
            self._experiment = _experiment_id(self._client, experiment)
        self._parent = ""
        self._told: dict[str, Told] = {}

    def start(self, name: str, params: Mapping[str, Any], run_id: str | None) -> str | None:
        """Open the sweep's parent run, or set the one it had running again."""
        with self._reached():
            if run_id is not None and self._take_up(run_id):
                return self._parent
            run = self._client.create_run(
                self._experiment, run_name=name, tags={"medsweep.phase": "sweep"}
            )
            self._parent = str(run.info.run_id)
            self._params(self._parent, params)
        return self._parent

    def tell(self, record: Record) -> None:
        """Open the trial's child run, add points to its curves, end it: what is still missing."""
        told = self._told.get(record.item.name)
        if told is None:
            told = self._told[record.item.name] = Told(self._open(record))
        if told.status == record.status and record.status != "running":
            return
        if told.status != "running":
            self._client.update_run(told.run_id, status="RUNNING")
            self._client.set_tag(told.run_id, "medsweep.status", "running")
            told.status = "running"
        self._add_points(told, record)
        if record.status != "running":
            self._end(told, record.status, record)

    def finish(
        self,
        records: Iterable[Record],
        summary: Mapping[str, float],
        files: Sequence[Path],
        status: Status,
    ) -> bool:
        """End the parent run, and the children that were under way."""
        for record in records:
            self.tell(record)
            if record.status == "running":
                self._end(self._told[record.item.name], "interrupted", record)
        for key, value in summary.items():
            self._client.log_metric(self._parent, key, value)
        for path in files:
            if path.is_dir():
                self._client.log_artifacts(self._parent, str(path), artifact_path=path.name)
            else:
                self._client.log_artifact(self._parent, str(path))
        self._client.set_terminated(self._parent, STATUSES[status])
        return True

    @contextmanager
    def _reached(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException

        try:
            yield
        except (MlflowException, OSError) as error:
            raise ConfigError(
                f"MLflow cannot be reached ({type(error).__name__})",
                where=f"tracking.uri: {self.uri}",
                fix="start the server, correct the URI, or set tracking.enabled: false",
            ) from None

    def _take_up(self, run_id: str) -> bool:
        """Go on with a parent run and its children; False where the store has it no longer."""
        if not self._search(f"attributes.run_id = '{run_id}'"):
            return False
        self._parent = run_id
        self._client.update_run(run_id, status="RUNNING")
        for run in self._search(f"tags.`mlflow.parentRunId` = '{run_id}'"):
            tags = run.data.tags
            self._told[tags["medsweep.trial"]] = Told(run.info.run_id, tags["medsweep.status"])
        return True

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

    def _open(self, record: Record) -> str:
        """A trial's run; the one that was made when an answer was lost is found by its tags."""
        item = record.item
        known = self._search(
            f"tags.`mlflow.parentRunId` = '{self._parent}' "
            f"and tags.`medsweep.trial` = '{item.name}'"
        )
        if known:
            run_id = str(known[0].info.run_id)
        else:
            run = self._client.create_run(
                self._experiment,
                start_time=_milliseconds(record.started),
                run_name=item.name,
                tags={
                    "mlflow.parentRunId": self._parent,
                    "medsweep.trial": item.name,
                    "medsweep.phase": item.phase,
                    "medsweep.status": "running",
                },
            )
            run_id = str(run.info.run_id)
        cell = {"model": item.cell.model, "train_size": item.cell.size, "fold": item.cell.fold}
        self._params(run_id, {**cell, "draw": item.draw, **item.recipe})
        return run_id

    def _add_points(self, told: Told, record: Record) -> None:
        """Points of the learning curve, at the time that the journal has for them.

        MLflow drops a point that it has already, at the same time; so a point whose answer was
        lost may be told again.
        """
        from mlflow.entities import Metric

        points = zip(record.evaluations, record.times, strict=True)
        metrics = [
            Metric(key, float(value), _milliseconds(time), int(values["step"]))
            for values, time in list(points)[told.points :]
            for key, value in values.items()
            if isinstance(value, (int, float)) and key not in ("finished", "step")
        ]
        for start in range(0, len(metrics), BATCH):
            self._client.log_batch(told.run_id, metrics=metrics[start : start + BATCH])
        told.points = len(record.evaluations)

    def _end(self, told: Told, status: str, record: Record) -> None:
        """End a child run with its true status."""
        self._client.set_tag(told.run_id, "medsweep.status", status)
        if record.error:
            self._client.set_tag(told.run_id, "medsweep.error", record.error)
        ended = _milliseconds(record.ended) if record.ended else None
        self._client.set_terminated(told.run_id, STATUSES[status], end_time=ended)
        told.status = status

    def _params(self, run_id: str, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        self._client.log_batch(run_id, params=[Param(k, str(v)) for k, v in params.items()])


def _experiment_id(client: Any, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def _milliseconds(time: float) -> int:
    return round(time * 1000)


def _alone(uri: str) -> AbstractContextManager[Any]:
    """No other sweep makes or migrates the tables of an SQLite file within the body.

    MLflow does that at the first use, and two processes that do it at once break the file.
    """
    path = uri.removeprefix("sqlite:///")
    return FileLock(f"{path}.lock") if path != uri else nullcontext()
