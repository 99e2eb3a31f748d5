"""A sweep as its tracker sees it: under which key, with which headline, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any

from rich.console import Console

from medsweep.config import Sweep, load_sweep
from medsweep.errors import ConfigError, MedsweepError
from medsweep.export.saved import best_adapter
from medsweep.plan.plan import Plan
from medsweep.record.journal import Journal, read_events
from medsweep.record.records import Records
from medsweep.sweep.folder import SweepFolder
from medsweep.tracking import Ending, Tracker, make_tracker


def sweep_params(plan: Plan) -> dict[str, Any]:
    """What tells one sweep from another: the tracker's parameters of the whole."""
    sweep = plan.sweep
    return {
        "task": sweep.task.kind,
        "metric": sweep.task.metric,
        "margin": sweep.decide.margin,
        "alpha": sweep.decide.alpha,
        "reference": plan.reference["model"] or plan.reference["arm"],
        "models": ", ".join(plan.workload.models),
        "train_sizes": ", ".join(map(str, plan.workload.sizes)),
        "draws": sweep.draws,
        "trials_per_cell": sweep.search.trials,
        "strategy": sweep.strategy,
        "data_sha256": plan.digest,
    }


def tracking_key(start: Mapping[str, Any]) -> str:
    """What a tracker knows the sweep by: no other one began with these documents then."""
    return f"{start['digest'][:16]}-{start['time']:.3f}"


def open_tracker(sweep: Sweep, console: Console) -> Tracker:
    """As the sweep file says."""
    tracking = sweep.tracking
    return make_tracker(
        tracking.enabled,
        tracking.uri,
        tracking.experiment or sweep.name,
        lambda line: console.print(line, markup=False, highlight=False),
    )


def finish_tracking(
    tracker: Tracker,
    folder: SweepFolder,
    journal: Journal,
    ending: Ending,
    console: Console,
) -> None:
    """Bring the tracker up to the journal, once more and as a whole.

    Whatever happens here, the sweep has its verdict, or its own error.
    """
    told = False
    try:
        records = Records.replay(read_events(folder.journal))
        with console.status("logging to MLflow; Ctrl-C is safe"):
            told = tracker.finish(records.by_name.values(), ending)
        if told and ending.status == "finished":
            journal.append("told")
    except (KeyboardInterrupt, MedsweepError):
        told = False
    if not told:
        console.print(
            f"note: MLflow has not taken all of it; `medsweep resume {folder.path}` tells it",
            markup=False,
            highlight=False,
        )


def track_again(folder: SweepFolder, verdict: Mapping[str, Any], console: Console) -> None:
    """A sweep that is done, to a tracker that was away when it ended."""
    try:
        sweep = load_sweep(folder.sweep_file)
        with closing(Journal(folder.journal)) as journal:
            start = Records.replay(read_events(folder.journal)).start
            with console.status("reaching MLflow; Ctrl-C is safe"):
                tracker = open_tracker(sweep, console)
                tracker.start(sweep.name, tracking_key(start), start["headline"])
            finish_tracking(tracker, folder, journal, finished(verdict, folder), console)
    except (KeyboardInterrupt, MedsweepError, OSError) as error:
        said = str(error) or "interrupted"
        console.print(f"note: not told to MLflow: {said}", markup=False, highlight=False)


def finished(verdict: Mapping[str, Any], folder: SweepFolder) -> Ending:
    """Headline metrics and artifacts for the tracker: the adapter that `export` hands over, too."""
    files = [folder.report, folder.verdict, folder.sweep_file]
    summary = {"reference_score": float(verdict["reference"]["score"])}
    if (smallest := verdict["smallest"]) is not None:
        # An adapter may have been deleted since; the verdict is told all the same.
        with suppress(ConfigError):
            files.append(best_adapter(folder.path, smallest["model"], smallest["train_size"]).path)
        summary |= {
            "smallest_params": float(smallest["params"]),
            "smallest_train_size": float(smallest["train_size"]),
        }
    return Ending("finished", summary, files, _judged(verdict))


def _judged(verdict: Mapping[str, Any]) -> dict[str, str]:
    """The test set's digest, and which verdict on it this is; a verdict of 0.1 has neither."""
    number = (verdict.get("judged") or {}).get("number")
    tags = {"test_set": verdict.get("test_set"), "verdict_on_test_set": number}
    return {name: str(value) for name, value in tags.items() if value is not None}
