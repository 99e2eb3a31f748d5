"""Run a sweep from its file to its verdict, or go on with one."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from medsweep.config import Sweep, load_sweep
from medsweep.errors import ConfigError, DataError, Interrupted, MedsweepError
from medsweep.sweep.items import Cell
from medsweep.sweep.journal import Journal, read_events
from medsweep.sweep.plan import Plan, make_plan
from medsweep.sweep.records import Records
from medsweep.tracking import Ending, Tracker, make_tracker

PACKAGES = ("medsweep", "torch", "transformers", "peft", "ray", "optuna", "mlflow", "scikit-learn")


def run_sweep(
    sweep: Sweep, out: Path, *, address: str | None = None, console: Console | None = None
) -> dict[str, Any]:
    """Run ``sweep`` into the new folder ``out`` and give its verdict as a mapping.

    Args:
        sweep: what to do.
        out: must not hold a sweep yet.
        address: of a Ray cluster; without one Ray is started on this machine.
        console: where progress is shown.

    Raises:
        InputErrors, DataError, ConfigError, ModelError: before anything is trained.
        Interrupted: Ctrl-C; ``resume_sweep`` goes on.
        RunError: no verdict can be given.
    """
    console = console or Console(stderr=True)
    _refuse_second(out)
    with console.status("reading documents and models"):
        plan = make_plan(sweep)
    for note in plan.notes:
        console.print(f"note: {note}", highlight=False)
    _make_private(out)
    with closing(Journal(_journal(out))) as journal:
        # Another may have begun meanwhile.
        _refuse_second(out)
        journal.clear()
        _write_sweep(sweep, out / "sweep.yaml")
        return _run(plan, out, journal, address, console)


def _refuse_second(out: Path) -> None:
    """A folder holds one sweep. One that never came to its first trial is no sweep yet."""
    path = _journal(out)
    if path.exists() and any(event["event"] == "proposed" for event in read_events(path)):
        raise ConfigError(
            "already holds a sweep",
            where=str(out),
            fix=f"`medsweep resume {out}`, or another --out",
        )


def resume_sweep(
    out: Path, *, address: str | None = None, console: Console | None = None
) -> dict[str, Any]:
    """Go on with the sweep in ``out``; one that is done gives its verdict again.

    Raises:
        ConfigError: ``out`` holds no sweep.
        DataError: documents or labels are not those the sweep began with.
    """
    console = console or Console(stderr=True)
    records = Records.replay(read_events(_journal(out)))
    if records.done and (out / "verdict.json").exists():
        verdict: dict[str, Any] = json.loads((out / "verdict.json").read_text())
        if not records.told and "headline" in records.start:
            _tell_again(out, verdict, console)
        return verdict
    with console.status("reading documents and models"):
        plan = make_plan(load_sweep(out / "sweep.yaml"))
    with closing(Journal(_journal(out))) as journal:
        return _run(plan, out, journal, address, console)


def sweep_status(out: Path) -> tuple[Sweep, Records]:
    """The sweep in ``out`` and all of its trials so far, from the journal alone."""
    records = Records.replay(read_events(_journal(out)))
    return load_sweep(out / "sweep.yaml"), records


def _run(
    plan: Plan, out: Path, journal: Journal, address: str | None, console: Console
) -> dict[str, Any]:
    from medsweep.sweep.results import forget_states

    events = list(read_events(_journal(out)))
    if not events:
        start = {"digest": plan.digest, "versions": _versions(), "headline": _headline(plan)}
        events = [journal.append("start", **start, sweep=_fixed(plan.sweep))]
    start = Records.replay(events).start
    _check_unchanged(plan, start, out)
    tracker = _tracker(plan.sweep, console)
    tracker.start(plan.sweep.name, _tracking_key(start), _headline(plan))
    ending = Ending("failed")
    try:
        records = _search(plan, out, journal, events, tracker, address, console)
        with console.status("deciding"):
            verdict = _conclude(plan, records, out)
        kept = _kept(verdict, out)
        journal.append("done")
        forget_states(_state(out) / "trials")
        ending = kept
    except KeyboardInterrupt:
        ending = Ending("stopped")
        raise Interrupted(f"interrupted; `medsweep resume {out}` goes on") from None
    finally:
        _tell(tracker, out, journal, ending, console)
    return verdict


def _fixed(sweep: Sweep) -> dict[str, Any]:
    """What may not change while a sweep is under way: all but where it runs and reads from."""
    fixed = sweep.model_dump(mode="json", exclude={"tracking", "resources"})
    for source in (fixed["data"]["train"], fixed["data"]["test"]):
        if isinstance(source, dict):
            del source["path"]
    return fixed


def _check_unchanged(plan: Plan, start: Mapping[str, Any], out: Path) -> None:
    """A sweep goes on with what it began with, or its trials do not belong together."""
    if start["digest"] != plan.digest:
        raise DataError(
            "documents or labels have changed since the sweep began",
            where=str(out),
            fix="put the old files back, or start a new sweep",
        )
    fixed = _fixed(plan.sweep)
    began = start.get("sweep", fixed)
    if changed := [key for key in fixed if fixed[key] != began.get(key)]:
        raise ConfigError(
            f"changed since the sweep began: {', '.join(changed)}",
            where=str(out / "sweep.yaml"),
            fix="put the old values back, or start a new sweep",
        )


def _tracking_key(start: Mapping[str, Any]) -> str:
    """What a tracker knows the sweep by: no other one began with these documents then."""
    return f"{start['digest'][:16]}-{start['time']:.3f}"


def _tracker(sweep: Sweep, console: Console) -> Tracker:
    tracking = sweep.tracking
    return make_tracker(
        tracking.enabled,
        tracking.uri,
        tracking.experiment or sweep.name,
        lambda line: console.print(line, markup=False, highlight=False),
    )


def _tell(
    tracker: Tracker,
    out: Path,
    journal: Journal,
    ending: Ending,
    console: Console,
) -> None:
    """Bring the tracker up to the journal, once more and as a whole.

    Whatever happens here, the sweep has its verdict, or its own error.
    """
    told = False
    try:
        records = Records.replay(read_events(_journal(out)))
        with console.status("logging to MLflow; Ctrl-C is safe"):
            told = tracker.finish(records.by_name.values(), ending)
        if told and ending.status == "finished":
            journal.append("told")
    except (KeyboardInterrupt, MedsweepError):
        told = False
    if not told:
        console.print(
            f"note: MLflow has not taken all of it; `medsweep resume {out}` tells it",
            markup=False,
            highlight=False,
        )


def _tell_again(out: Path, verdict: Mapping[str, Any], console: Console) -> None:
    """A sweep that is done, to a tracker that was away when it ended."""
    try:
        sweep = load_sweep(out / "sweep.yaml")
        with closing(Journal(_journal(out))) as journal:
            start = Records.replay(read_events(_journal(out))).start
            with console.status("reaching MLflow; Ctrl-C is safe"):
                tracker = _tracker(sweep, console)
                tracker.start(sweep.name, _tracking_key(start), start["headline"])
            _tell(tracker, out, journal, _kept(verdict, out), console)
    except (KeyboardInterrupt, MedsweepError, OSError) as error:
        said = str(error) or "interrupted"
        console.print(f"note: not told to MLflow: {said}", markup=False, highlight=False)


def _search(
    plan: Plan,
    out: Path,
    journal: Journal,
    events: Sequence[dict[str, Any]],
    tracker: Tracker,
    address: str | None,
    console: Console,
) -> Records:
    """Run every trial that has not ended yet."""
    # Ray reads its environment when it is imported.
    from medsweep.sweep.environment import quiet

    quiet()
    from medsweep.sweep.cluster import connected
    from medsweep.sweep.coordinator import Coordinator
    from medsweep.sweep.progress import shown
    from medsweep.sweep.tune import run_experiment

    with connected(address, plan, console) as cluster:
        cluster.check_storage(out)
        root, abreast = _state(out) / "trials", cluster.concurrency
        work = Coordinator(plan, journal, events, tracker, root, abreast)
        pool = cluster.start_pool(plan.workload)
        try:
            with shown(work, console):
                run_experiment(work, pool, _state(out))
        finally:
            cluster.close(pool)
    return work.records


def _conclude(plan: Plan, records: Records, out: Path) -> dict[str, Any]:
    """Tables, adapters, verdict and report from what the trials left."""
    import pandas as pd

    from medsweep.report import write_report
    from medsweep.stats.decide import decide
    from medsweep.sweep.results import (
        absent_models,
        collect_adapters,
        complete_cells,
        given_up_cells,
        inference_of,
        predictions_table,
        strategy_of,
        trials_table,
        write_json,
        write_parquet,
    )

    root = _state(out) / "trials"
    trials = trials_table(records)
    predictions = predictions_table(plan, records, root)
    write_parquet(out / "trials.parquet", trials)
    write_parquet(out / "predictions.parquet", predictions)
    collect_adapters(records, root, out / "adapters", len(plan.workload.folds))
    given_up = given_up_cells(plan, records)
    complete, missing = complete_cells(plan, records, given_up)
    tuned = predictions["arm"] == "finetuned"
    pairs = zip(predictions["model"], predictions["train_size"], strict=True)
    whole = pd.Series([pair in complete for pair in pairs], index=predictions.index)
    decided = decide(
        predictions[~tuned | whole],
        task=plan.workload.kind,
        metric=plan.workload.metric,
        reference={"arm": plan.reference["arm"], "model": plan.reference["model"] or ""},
        margin=plan.sweep.decide.margin,
        alpha=plan.sweep.decide.alpha,
        params={name: folder.parameters for name, folder in plan.folders.items()},
        groups=dict(plan.groups) or None,
        seed=plan.sweep.seed,
        dev_labels=plan.labels_spent,
        absent=len(absent_models(plan, complete)),
    )
    verdict: dict[str, Any] = decided.to_dict()
    verdict["name"] = plan.sweep.name
    verdict["notes"] = [*plan.notes, *missing]
    verdict["strategy"] = strategy_of(plan, records, given_up)
    _add_recipes(records, verdict)
    for cell in (*verdict["cells"], verdict["reference"]):
        found = inference_of(records, root, cell["model"], cell["train_size"])
        if found is not None and cell.get("arm", "finetuned") == "finetuned":
            cell["inference"] = found
    verdict["provenance"] = _provenance(plan, records)
    write_json(out / "verdict.json", verdict)
    write_report(
        verdict,
        predictions,
        out / "report.html",
        trials=trials,
        sweep=plan.sweep.model_dump(mode="json"),
    )
    return verdict


def _add_recipes(records: Records, verdict: dict[str, Any]) -> None:
    """The winning recipe of each cell; under cross-validation every fold has searched its own."""
    for cell in verdict["cells"]:
        recipes = {
            r.item.cell.fold: {k: v for k, v in r.item.recipe.items() if k != "seed"}
            for r in records.by_name.values()
            if r.item.phase == "confirm"
            and (r.item.cell.model, r.item.cell.size) == (cell["model"], cell["train_size"])
        }
        if recipes:
            cell["trial"] = recipes[min(recipes)]
        if len(recipes) > 1:
            cell["trial_by_fold"] = [recipes[fold] for fold in sorted(recipes)]


def _provenance(plan: Plan, records: Records) -> dict[str, Any]:
    seconds = sum(
        (r.evaluations[-1].get("seconds", 0.0) for r in records.by_name.values() if r.evaluations),
        0.0,
    )
    statuses = [r.status for r in records.by_name.values()]
    return {
        "data_sha256": plan.digest,
        "seed": plan.sweep.seed,
        "versions": _versions(),
        "models": {
            name: {"id": plan.workload.models[name].id, "parameters": folder.parameters}
            for name, folder in plan.folders.items()
        },
        "test_documents": len(plan.gold),
        "dev_documents": plan.labels_spent,
        "folds": len(plan.workload.folds),
        "trials": {s: statuses.count(s) for s in ("finished", "stopped", "failed")},
        "training_seconds": round(seconds, 1),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(records.start.get("time", 0))),
    }


def _kept(verdict: Mapping[str, Any], out: Path) -> Ending:
    """Headline metrics and artifacts for the tracker: the winner's adapter, the report."""
    from medsweep.sweep.results import adapter_name

    files = [out / "report.html", out / "verdict.json", out / "sweep.yaml"]
    summary = {"reference_score": float(verdict["reference"]["score"])}
    if (smallest := verdict["smallest"]) is not None:
        draw = (smallest.get("adapter") or {}).get("draw", 0)
        cell, folds = (
            Cell(smallest["model"], smallest["train_size"]),
            verdict["provenance"]["folds"],
        )
        adapter = out / "adapters" / adapter_name(cell, draw, folds)
        files += [adapter] if adapter.exists() else []
        summary |= {
            "smallest_params": float(smallest["params"]),
            "smallest_train_size": float(smallest["train_size"]),
        }
    return Ending("finished", summary, files)


def _headline(plan: Plan) -> dict[str, Any]:
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


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in PACKAGES}


def _state(out: Path) -> Path:
    # Absolute, because hosts and trials run in other folders, on other machines.
    return out.resolve() / "state"


def _journal(out: Path) -> Path:
    return out / "state" / "journal.jsonl"


def _make_private(out: Path) -> None:
    """Predictions and adapters come from patients' documents: for this user only."""
    out.mkdir(parents=True, exist_ok=True)
    out.chmod(0o700)


def _write_sweep(sweep: Sweep, path: Path) -> None:
    path.write_text(yaml.safe_dump(sweep.model_dump(mode="json"), sort_keys=False))
