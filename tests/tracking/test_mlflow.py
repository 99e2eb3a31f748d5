import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest

from medsweep.errors import ConfigError
from medsweep.sweep.items import Cell, Item, Status
from medsweep.sweep.records import Record
from medsweep.tracking import NullTracker, make_tracker
from medsweep.tracking.mlflow import MlflowTracker

pytestmark = pytest.mark.slow  # mlflow takes seconds to import and to make its database
ITEM = Item("m-n50-t00", "search", Cell("m", 50), recipe={"rank": 8})
POINT = {"iteration": 1, "step": 10, "score": 0.5, "train_loss": 1.0, "finished": False}


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def at(points: int, status: Status = "running", **fields: Any) -> Record:
    """The trial after so many dev evaluations."""
    curve = [{**POINT, "iteration": n, "step": 10 * n, "score": n / 10} for n in range(1, 9)]
    return Record(
        ITEM, status, curve[:points], [100.0 + n for n in range(points)], started=99.0, **fields
    )


def history(uri: str, run_id: str, key: str = "score") -> list[tuple[int, float]]:
    client = mlflow.MlflowClient(tracking_uri=uri)
    return [(m.step, m.value) for m in client.get_metric_history(run_id, key)]


def child(uri: str) -> Any:
    """The one run of the trial."""
    client = mlflow.MlflowClient(tracking_uri=uri)
    found = client.search_runs(["1"], filter_string=f"tags.`medsweep.trial` = '{ITEM.name}'")
    assert len(found) == 1
    return found[0]


def test_one_run_a_trial_and_one_point_an_evaluation_whatever_was_told_before(uri: str) -> None:
    first = MlflowTracker(uri, "e")
    parent = first.start("sweep", {"metric": "macro_f1"}, None)
    first.tell(at(2))
    # The driver dies here.
    second = MlflowTracker(uri, "e")
    assert second.start("sweep", {"metric": "macro_f1"}, parent) == parent
    for record in (at(2), at(4), at(4), at(5, "finished", ended=120.0), at(5, "finished")):
        second.tell(record)
    run = child(uri)
    assert history(uri, run.info.run_id) == [(10 * n, n / 10) for n in range(1, 6)]
    assert (run.info.status, run.data.params["rank"]) == ("FINISHED", "8")
    assert (run.info.start_time, run.info.end_time) == (99_000, 120_000)


def test_statuses_are_honest_and_curves_are_metrics(uri: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(uri, "e")
    parent = tracker.start("sweep", {}, None)
    assert parent is not None
    tracker.tell(at(2))
    report = tmp_path / "report.html"
    report.write_text("<p>")
    tracker.finish([at(2, "stopped")], {"reference_score": 0.7}, [report], "finished")

    client = mlflow.MlflowClient(tracking_uri=uri)
    run = child(uri)
    assert (run.info.status, run.data.tags["medsweep.status"]) == ("KILLED", "stopped")
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert history(uri, run.info.run_id) == [(10, 0.1), (20, 0.2)]
    whole = client.get_run(parent)
    assert whole.info.status == "FINISHED"
    assert whole.data.metrics["reference_score"] == 0.7
    assert [a.path for a in client.list_artifacts(parent)] == ["report.html"]


def test_an_interrupted_trial_is_no_running_one_and_goes_on(uri: str) -> None:
    tracker = MlflowTracker(uri, "e")
    parent = tracker.start("sweep", {}, None)
    tracker.finish([at(1)], {}, [], "stopped")
    run = child(uri)
    assert (run.info.status, run.data.tags["medsweep.status"]) == ("KILLED", "interrupted")
    again = MlflowTracker(uri, "e")
    again.start("sweep", {}, parent)
    again.tell(at(2))
    assert child(uri).info.status == "RUNNING"
    again.finish([at(3, "finished")], {}, [], "finished")
    run = child(uri)
    assert (run.info.status, run.data.tags["medsweep.status"]) == ("FINISHED", "finished")
    assert history(uri, run.info.run_id) == [(10, 0.1), (20, 0.2), (30, 0.3)]


def test_a_sweep_whose_run_was_deleted_gets_another(uri: str) -> None:
    tracker = MlflowTracker(uri, "e")
    parent = tracker.start("sweep", {}, None)
    assert parent is not None
    mlflow.MlflowClient(tracking_uri=uri).delete_run(parent)
    assert tracker.start("sweep", {}, parent) not in (None, parent)


def test_an_unreachable_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MLflow cannot be reached"):
        MlflowTracker("nonsense://x", "e")


def test_tracking_can_be_off() -> None:
    tracker = make_tracker(False, None, "e", print)
    assert isinstance(tracker, NullTracker)
    assert tracker.start("sweep", {}, None) is None
    assert tracker.finish([at(1)], {}, [], "finished")


def test_sweeps_that_begin_at_once_share_a_new_database(uri: str) -> None:
    script = (
        "import sys; from medsweep.tracking.mlflow import MlflowTracker; "
        "print(MlflowTracker(sys.argv[1], 'e')._experiment)"
    )
    together = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", script, uri], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0].strip() for process in together]
    assert [p.returncode for p in together] == [0, 0]
    assert len(set(said)) == 1
