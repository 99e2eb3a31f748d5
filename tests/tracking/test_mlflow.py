import subprocess
import sys
from pathlib import Path

import pytest

from medsweep.errors import ConfigError
from medsweep.sweep.items import Cell, Item
from medsweep.tracking import NullTracker, make_tracker
from medsweep.tracking.mlflow import MlflowTracker

pytestmark = pytest.mark.slow  # mlflow takes seconds to import and to make its database
ITEM = Item("m-n50-t00", "search", Cell("m", 50), recipe={"rank": 8})
POINT = {"iteration": 1, "step": 10, "score": 0.5, "train_loss": 1.0, "finished": False}


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_one_run_a_trial_even_after_a_crash_between_run_and_journal(uri: str) -> None:
    first = MlflowTracker(uri, "e")
    parent = first.start("sweep", {"metric": "macro_f1"}, None)
    child = first.open(ITEM)
    # The driver dies here, before the journal has the child's id.
    second = MlflowTracker(uri, "e")
    assert second.start("sweep", {"metric": "macro_f1"}, parent) == parent
    assert second.open(ITEM) == child


def test_statuses_are_honest_and_curves_are_metrics(uri: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(uri, "e")
    parent = tracker.start("sweep", {}, None)
    child = tracker.open(ITEM)
    assert parent is not None
    assert child is not None
    tracker.log(child, POINT)
    tracker.log(child, {**POINT, "iteration": 2, "step": 20, "score": 0.6})
    tracker.close(child, "stopped", None)
    report = tmp_path / "report.html"
    report.write_text("<p>")
    tracker.finish({"reference_score": 0.7}, [report], "finished")

    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri)
    run = client.get_run(child)
    assert (run.info.status, run.data.tags["medsweep.status"]) == ("KILLED", "stopped")
    assert run.data.tags["mlflow.parentRunId"] == parent
    history = client.get_metric_history(child, "score")
    assert [(m.step, m.value) for m in history] == [(10, 0.5), (20, 0.6)]
    whole = client.get_run(parent)
    assert whole.info.status == "FINISHED"
    assert whole.data.metrics["reference_score"] == 0.7
    assert [a.path for a in client.list_artifacts(parent)] == ["report.html"]


def test_an_unreachable_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MLflow cannot be reached"):
        MlflowTracker("nonsense://x", "e")


def test_tracking_can_be_off() -> None:
    tracker = make_tracker(False, None, "e")
    assert isinstance(tracker, NullTracker)
    assert tracker.open(ITEM) is None


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
