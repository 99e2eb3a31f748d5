"""Run a sweep from its file to its verdict, or go on with one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from medsweep.cluster.address import RayAddress, ray_address
from medsweep.config import Sweep, load_sweep
from medsweep.console import ProgressConsole
from medsweep.errors import ConfigError, Interrupted, raise_all
from medsweep.interrupt import answered_interrupts
from medsweep.plan.build import make_plan
from medsweep.plan.inputs import input_problems
from medsweep.plan.plan import Plan
from medsweep.record.journal import Journal, read_events
from medsweep.record.records import Records
from medsweep.sweep.aside import Aside
from medsweep.sweep.folder import SweepFolder, fixed_keys
from medsweep.sweep.provenance import versions
from medsweep.sweep.schedule import Schedule, make_schedule
from medsweep.sweep.tracked import (
    finish_tracking,
    finished,
    open_tracker,
    sweep_params,
    track_again,
    tracking_key,
)
from medsweep.tracking import Ending, Tracker

STOPPING = "stopping: what is under way is written down, `medsweep resume` goes on from there"
OPENING = 30.0  # seconds that an interrupted sweep waits for a tracker that is being opened


def run_sweep(
    sweep: Sweep, out: Path, *, address: str | None = None, console: ProgressConsole | None = None
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
    console, folder = console or ProgressConsole(), SweepFolder(out)
    folder.check_free()
    joined = _joined(address, sweep)
    with console.status("looking for the models") as status:
        plan = make_plan(sweep, status.update)
    for note in plan.notes:
        console.print(f"note: {note}", highlight=False)
    folder.make()
    with closing(Journal(folder.journal)) as journal:
        # Another may have begun meanwhile.
        folder.check_free()
        journal.clear()
        folder.write_sweep(sweep)
        return _run(plan, folder, journal, joined, console)


def _joined(address: str | None, sweep: Sweep) -> RayAddress | None:
    """Which Ray to join, if any; where that is wrong, with what else is."""
    try:
        return ray_address(address)
    except ConfigError as error:
        raise_all([error, *input_problems(sweep)])
        raise


def resume_sweep(
    out: Path, *, address: str | None = None, console: ProgressConsole | None = None
) -> dict[str, Any]:
    """Go on with the sweep in ``out``; one that is done gives its verdict again.

    Raises:
        ConfigError: ``out`` holds no sweep.
        DataError: documents or labels are not those the sweep began with.
    """
    console, folder = console or ProgressConsole(), SweepFolder(out)
    records = Records.replay(read_events(folder.journal))
    if records.done and folder.verdict.exists():
        verdict: dict[str, Any] = json.loads(folder.verdict.read_text())
        if not records.told and "headline" in records.start:
            track_again(folder, verdict, console)
        return verdict
    joined = ray_address(address)
    with console.status("looking for the models") as status:
        plan = make_plan(load_sweep(folder.sweep_file), status.update)
    with closing(Journal(folder.journal)) as journal:
        return _run(plan, folder, journal, joined, console)


def _run(
    plan: Plan,
    folder: SweepFolder,
    journal: Journal,
    address: RayAddress | None,
    console: ProgressConsole,
) -> dict[str, Any]:
    """Search and conclude, and tell the tracker how it ended."""
    events = list(read_events(folder.journal))
    schedule = make_schedule(plan)
    if events:
        folder.check_unchanged(plan, Records.replay(events).start)
        events.append(journal.append("resumed"))
    else:
        begun = {"digest": plan.digest, "versions": versions(), "headline": sweep_params(plan)}
        begun |= {"sweep": fixed_keys(plan.sweep), "steps": schedule.to_dict()}
        events.append(journal.append("start", **begun))
    start = Records.replay(events).start

    def track() -> Tracker:
        tracker = open_tracker(plan.sweep, console)
        tracker.start(plan.sweep.name, tracking_key(start), sweep_params(plan))
        return tracker

    # Hosts and Ray start while MLflow is imported and makes its tables.
    tracking = Aside(track)
    ending = Ending("failed")
    try:
        with answered_interrupts(lambda: console.say(STOPPING)):
            records = _search(plan, folder, journal, events, schedule, tracking, address, console)
            verdict = _conclude(plan, records, folder, journal, console)
            ending = finished(verdict, folder)
    except KeyboardInterrupt:
        ending = Ending("stopped")
        raise Interrupted(f"interrupted; `medsweep resume {folder.path}` goes on") from None
    finally:
        _finish(tracking, folder, journal, ending, console)
    return verdict


def _search(
    plan: Plan,
    folder: SweepFolder,
    journal: Journal,
    events: Sequence[dict[str, Any]],
    schedule: Schedule,
    tracking: Aside[Tracker],
    address: RayAddress | None,
    console: ProgressConsole,
) -> Records:
    """Run every trial that has not ended yet."""
    # Ray reads its environment when it is imported.
    from medsweep.cluster.environment import quiet

    quiet()
    from medsweep.cluster.layout import connected
    from medsweep.sweep.progress import shown

    with connected(address, plan, console) as cluster:
        cluster.check_storage(folder.path)
        pool = cluster.start_pool(plan.workload)
        try:
            with console.status("starting hosts, opening MLflow"):
                # Imported here because hosts import theirs meanwhile.
                from medsweep.cluster.halving import CellHalving
                from medsweep.cluster.tune import run_experiment
                from medsweep.search.coordinator import Coordinator

                coordinator = Coordinator(
                    plan,
                    journal,
                    events,
                    CellHalving(plan.sweep.early_stopping, plan.evaluations),
                    lambda record: tracking.result().tell(record),
                    folder.trials,
                    cluster.concurrency,
                )
                cluster.load(pool, coordinator.next_models())
                # A sweep with a wrong address should not begin.
                tracking.result()
            with shown(coordinator, schedule, console):
                run_experiment(coordinator, pool, folder.state)
            # What comes next is imported while hosts end.
            conclusion = Aside(_import_conclusion)
        finally:
            cluster.close(pool)
        conclusion.result()
    return coordinator.records


def _import_conclusion() -> None:
    import medsweep.sweep.conclusion  # noqa: F401


def _conclude(
    plan: Plan, records: Records, folder: SweepFolder, journal: Journal, console: ProgressConsole
) -> dict[str, Any]:
    """Decide and write the results; from then on the sweep is done."""
    with console.status("deciding, writing the report"):
        # Imported here because nothing before needs pandas, scipy or matplotlib.
        from medsweep.sweep.conclusion import conclude
        from medsweep.sweep.results import forget_states

        verdict = conclude(plan, records, folder)
        journal.append("done")
        forget_states(folder.trials)
    return verdict


def _finish(
    tracking: Aside[Tracker],
    folder: SweepFolder,
    journal: Journal,
    ending: Ending,
    console: ProgressConsole,
) -> None:
    """Tell the tracker how it ended, where there is one."""
    with console.status("reaching MLflow; Ctrl-C is safe"):
        tracker = tracking.value(OPENING)
    if tracker is not None:
        finish_tracking(tracker, folder, journal, ending, console)
