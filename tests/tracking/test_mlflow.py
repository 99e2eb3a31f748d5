import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from medsweep.errors import ConfigError
from medsweep.record.records import TrialRecord
from medsweep.record.trial import Cell, Status, Trial
from medsweep.tracking import Ending, NullTracker, make_tracker
from medsweep.tracking.mlflow import MlflowTracker

pytestmark = pytest.mark.slow  # mlflow takes seconds to import and to make its database
ITEM = Trial("m-n50-t00", "search", Cell("m", 50), recipe={"rank": 8})
POINT = {"iteration": 1, "step": 10, "score": 0.5, "train_loss": 1.0, "finished": False}


@pytest.fixture
def uri(tmp_path: Path, new_store: Callable[[Path], str]) -> str:
    return new_store(tmp_path / "mlflow.db")


def at(points: int, status: Status = "running", **fields: Any) -> TrialRecord:
    """The trial after so many dev evaluations."""
    curve = [{**POINT, "iteration": n, "step": 10 * n, "score": n / 10} for n in range(1, 9)]
    return TrialRecord(
        ITEM, status, curve[:points], [100.0 + n for n in range(points)], started=99.0, **fields
    )


def history(uri: str, run_id: str, key: str = "score") -> list[tuple[int, float]]:
    client = mlflow.MlflowClient(tracking_uri=uri)
    return [(m.step, m.value) for m in client.get_metric_history(run_id, key)]


def runs(uri: str, tag: str = "medsweep.trial", value: str = ITEM.name) -> list[Any]:
    """Those of the trial, or of a tag."""
    client = mlflow.MlflowClient(tracking_uri=uri)
    return list(client.search_runs(["1"], filter_string=f"tags.`{tag}` = '{value}'"))


def test_one_run_a_trial_and_one_point_an_evaluation_whatever_was_told_before(uri: str) -> None:
    first = MlflowTracker(uri, "e")
    first.start("sweep", "k", {"metric": "macro_f1"})
    first.tell(at(2))
    # The driver dies here.
    second = MlflowTracker(uri, "e")
    second.start("sweep", "k", {"metric": "macro_f1"})
    for record in (at(2), at(4), at(4), at(5, "finished", ended=120.0), at(5, "finished")):
        second.tell(record)
    (run,) = runs(uri)
    assert history(uri, run.info.run_id) == [(10 * n, n / 10) for n in range(1, 6)]
    assert (run.info.status, run.data.params["rank"]) == ("FINISHED", "8")
    assert (run.info.start_time, run.info.end_time) == (99_000, 120_000)
    assert len(runs(uri, "medsweep.sweep", "k")) == 1


def test_statuses_are_honest_and_curves_are_metrics(uri: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(uri, "e")
    tracker.start("sweep", "k", {})
    tracker.tell(at(2))
    report = tmp_path / "report.html"
    report.write_text("<p>")
    files = [report, tmp_path / "deleted.html"]
    assert tracker.finish(
        [at(2, "stopped")], Ending("finished", {"reference_score": 0.7}, files, {"test_set": "ab"})
    )

    client = mlflow.MlflowClient(tracking_uri=uri)
    (run,), (parent,) = runs(uri), runs(uri, "medsweep.sweep", "k")
    assert (run.info.status, run.data.tags["medsweep.status"]) == ("KILLED", "stopped")
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert history(uri, run.info.run_id) == [(10, 0.1), (20, 0.2)]
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["reference_score"] == 0.7
    assert parent.data.tags["medsweep.test_set"] == "ab"
    assert [a.path for a in client.list_artifacts(parent.info.run_id)] == ["report.html"]


def test_an_interrupted_trial_is_no_running_one_and_goes_on(uri: str) -> None:
    tracker = MlflowTracker(uri, "e")
    tracker.start("sweep", "k", {})
    tracker.finish([at(1)], Ending("stopped"))
    (run,) = runs(uri)
    assert (run.info.status, run.data.tags["medsweep.status"]) == ("KILLED", "interrupted")
    again = MlflowTracker(uri, "e")
    again.start("sweep", "k", {})
    again.tell(at(2))
    assert runs(uri)[0].info.status == "RUNNING"
    again.finish([at(3, "finished")], Ending("finished"))
    (run,) = runs(uri)
    assert (run.info.status, run.data.tags["medsweep.status"]) == ("FINISHED", "finished")
    assert history(uri, run.info.run_id) == [(10, 0.1), (20, 0.2), (30, 0.3)]


def test_a_trial_that_is_tried_again_has_a_run_an_attempt(uri: str) -> None:
    tracker = MlflowTracker(uri, "e")
    tracker.start("sweep", "k", {})
    tracker.tell(at(1, "failed", error="OSError at forward.py:10"))
    tracker.tell(replace(at(2, "finished"), started=200.0))
    first, second = sorted(runs(uri), key=lambda run: int(run.info.start_time))
    assert (first.info.status, second.info.status) == ("FAILED", "FINISHED")
    assert first.data.tags["medsweep.error"] == "OSError at forward.py:10"
    assert "medsweep.error" not in second.data.tags


def test_the_message_of_an_arm_may_name_a_document_and_stays_here(uri: str) -> None:
    arm = Trial("arm-0-endpoint", "arm", Cell("", 0))
    tracker = MlflowTracker(uri, "e")
    tracker.start("sweep", "k", {})
    tracker.tell(TrialRecord(arm, "failed", error="no answer for document 4711"))
    (run,) = runs(uri, "medsweep.trial", arm.name)
    assert "4711" not in str(run.data.tags)


def test_a_run_that_was_told_half_is_told_to_its_end(uri: str) -> None:
    tracker = MlflowTracker(uri, "e")
    tracker.start("sweep", "k", {})
    tracker.tell(at(1))
    client = mlflow.MlflowClient(tracking_uri=uri)
    # The process died between the tag and the status.
    client.set_tag(runs(uri)[0].info.run_id, "medsweep.status", "failed")
    # Somebody made a run of their own under the sweep's.
    parent = runs(uri, "medsweep.sweep", "k")[0].info.run_id
    client.create_run("1", tags={"mlflow.parentRunId": parent})
    again = MlflowTracker(uri, "e")
    again.start("sweep", "k", {})
    assert again.finish([at(1, "failed")], Ending("failed"))
    assert runs(uri)[0].info.status == "FAILED"


def test_a_run_that_was_deleted_is_made_again(uri: str) -> None:
    tracker = MlflowTracker(uri, "e")
    tracker.start("sweep", "k", {})
    tracker.tell(at(1))
    client = mlflow.MlflowClient(tracking_uri=uri)
    client.delete_run(runs(uri)[0].info.run_id)
    with pytest.raises(MlflowException):
        tracker.tell(at(2))
    tracker.tell(at(2))
    assert history(uri, runs(uri)[0].info.run_id) == [(10, 0.1), (20, 0.2)]
    client.delete_run(runs(uri, "medsweep.sweep", "k")[0].info.run_id)
    again = MlflowTracker(uri, "e")
    again.start("sweep", "k", {})
    assert len(runs(uri, "medsweep.sweep", "k")) == 1


def test_an_experiment_that_was_deleted_is_said_to_be(uri: str) -> None:
    MlflowTracker(uri, "e")
    mlflow.MlflowClient(tracking_uri=uri).delete_experiment("1")
    with pytest.raises(ConfigError, match="experiment e was deleted; name another"):
        MlflowTracker(uri, "e")


def test_a_store_that_another_sweep_writes_to_is_waited_for(uri: str, tmp_path: Path) -> None:
    MlflowTracker(uri, "e")
    other = sqlite3.connect(tmp_path / "mlflow.db", check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    # SQLite gives up after five seconds.
    end = threading.Timer(7.0, other.rollback)
    end.start()
    assert MlflowTracker(uri, "e")._experiment == "1"
    end.join()


def test_no_password_is_shown(tmp_path: Path) -> None:
    (tmp_path / "damaged.db").write_text("no database" * 100)
    with pytest.raises(ConfigError, match="MLflow cannot be reached") as damaged:
        MlflowTracker(f"sqlite:///{tmp_path / 'damaged.db'}", "e")
    assert "start the server" in str(damaged.value)
    with pytest.raises(ConfigError) as refused:
        MlflowTracker("postgresql://me:secret@127.0.0.1:1/db", "e")
    assert "secret" not in str(refused.value)


def test_an_unreachable_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MLflow cannot be reached"):
        MlflowTracker("nonsense://x", "e")


def test_a_store_that_is_there_is_not_called_away(uri: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(uri, "e")
    tracker.start("sweep", "k", {"margin": 0.05})
    with pytest.raises(ConfigError, match=r"has another value for margin; delete that run"):
        tracker.start("sweep", "k", {"margin": 0.1})
    for folder in (f"file://{tmp_path / 'runs'}", str(tmp_path / "runs")):
        with pytest.raises(ConfigError, match="in folders no more; name a database, sqlite:///FIL"):
            MlflowTracker(folder, "e")


def test_a_database_of_another_version(tmp_path: Path, new_store: Callable[[Path], str]) -> None:
    path = tmp_path / "newer.db"
    address = new_store(path)
    with sqlite3.connect(path) as store:
        store.execute("update alembic_version set version_num = 'ffffffffffff'")
    store.close()
    with pytest.raises(ConfigError, match="tables are of another version of MLflow than this one"):
        MlflowTracker(address, "e")


def test_tracking_can_be_off() -> None:
    tracker = make_tracker(False, None, "e", print)
    assert isinstance(tracker, NullTracker)
    tracker.start("sweep", "k", {})
    assert tracker.finish([at(1)], Ending("finished"))


def test_sweeps_that_begin_at_once_share_a_new_database(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
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
