"""MLflow: one parent run a sweep, one child a trial, honest statuses.

Ray's own callback marks stopped trials FINISHED and, after a restart, makes a second run and
leaves the first RUNNING. Here the journal keeps each trial's run id, and a run that was made in
the moment of a crash is found again by its tags.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock

from medsweep.errors import ConfigError
from medsweep.sweep.items import Item, Status

# MLflow has four terminal words; the exact one is in the tag `medsweep.status`.
STATUSES = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED", "running": "KILLED"}


class MlflowTracker:
    """Logs through the client, so that no ambient run or MLFLOW_RUN_ID interferes."""

    def __init__(self, uri: str | None, experiment: str) -> None:
        import mlflow
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        # Behind the import, which sets up MLflow's own logging: its news of migrations is no news.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.getLogger("mlflow").setLevel(logging.ERROR)

        self.uri = uri or os.environ.get("MLFLOW_TRACKING_URI") or mlflow.get_tracking_uri()
        try:
            with _alone(self.uri):
                self._client = MlflowClient(tracking_uri=self.uri)
                self._experiment = _experiment_id(self._client, experiment)
        except (MlflowException, OSError) as error:
            raise ConfigError(
                f"MLflow cannot be reached ({type(error).__name__})",
                where=f"tracking.uri: {self.uri}",
                fix="start the server, correct the URI, or set tracking.enabled: false",
            ) from None
        self._parent = ""

    def start(self, name: str, params: Mapping[str, Any], run_id: str | None) -> str | None:
        """Open the sweep's parent run, or set the one it had running again."""
        if run_id is None:
            run = self._client.create_run(
                self._experiment, run_name=name, tags={"medsweep.phase": "sweep"}
            )
            self._parent = run.info.run_id
            self._params(self._parent, params)
        else:
            self._parent = run_id
            self._client.update_run(run_id, status="RUNNING")
        return self._parent

    def open(self, item: Item) -> str | None:
        """Open a child run under the sweep's."""
        known = self._client.search_runs(
            [self._experiment],
            filter_string=(
                f"tags.`mlflow.parentRunId` = '{self._parent}' "
                f"and tags.`medsweep.trial` = '{item.name}'"
            ),
            max_results=1,
        )
        if known:
            run_id = str(known[0].info.run_id)
            self._client.update_run(run_id, status="RUNNING")
            return run_id
        run = self._client.create_run(
            self._experiment,
            run_name=item.name,
            tags={
                "mlflow.parentRunId": self._parent,
                "medsweep.trial": item.name,
                "medsweep.phase": item.phase,
                "medsweep.status": "running",
            },
        )
        self._params(
            run.info.run_id,
            {
                "model": item.cell.model,
                "train_size": item.cell.size,
                "fold": item.cell.fold,
                "draw": item.draw,
                **item.recipe,
            },
        )
        return str(run.info.run_id)

    def log(self, run_id: str, values: Mapping[str, Any]) -> None:
        """One point of a learning curve, all metrics in one request."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(
            run_id,
            metrics=[
                Metric(key, float(value), now, int(values["step"]))
                for key, value in values.items()
                if isinstance(value, (int, float)) and key not in ("finished", "step")
            ],
        )

    def close(self, run_id: str, status: Status, error: str | None) -> None:
        """End a child run with its true status."""
        self._client.set_tag(run_id, "medsweep.status", status)
        if error:
            self._client.set_tag(run_id, "medsweep.error", error)
        self._client.set_terminated(run_id, STATUSES[status])

    def finish(self, summary: Mapping[str, float], files: Sequence[Path], status: Status) -> None:
        """End the parent run."""
        for key, value in summary.items():
            self._client.log_metric(self._parent, key, value)
        for path in files:
            if path.is_dir():
                self._client.log_artifacts(self._parent, str(path), artifact_path=path.name)
            else:
                self._client.log_artifact(self._parent, str(path))
        self._client.set_terminated(self._parent, STATUSES[status])

    def _params(self, run_id: str, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        self._client.log_batch(run_id, params=[Param(k, str(v)) for k, v in params.items()])


def _experiment_id(client: Any, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def _alone(uri: str) -> AbstractContextManager[Any]:
    """No other sweep makes or migrates the tables of an SQLite file within the body.

    MLflow does that at the first use, and two processes that do it at once break the file.
    """
    path = uri.removeprefix("sqlite:///")
    return FileLock(f"{path}.lock") if path != uri else nullcontext()
