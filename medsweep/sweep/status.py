"""How far a sweep is, from its journal alone: for another terminal, or after an interruption."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.live import Live

from medsweep.console import PERIOD
from medsweep.record.journal import is_held, read_events
from medsweep.record.records import Records
from medsweep.record.trial import Cell
from medsweep.sweep.progress import Dashboard, cells_table, progress_line
from medsweep.sweep.schedule import Schedule

LOOK = 2.0  # seconds between two looks at the journal


class SweepStatus:
    """What the journal of the sweep in ``folder`` says, read again at :meth:`refresh`.

    Raises:
        ConfigError: the folder holds no sweep, or its journal is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._journal = folder / "state" / "journal.jsonl"
        self.refresh()

    def refresh(self) -> None:
        """Read the journal again."""
        # Whether somebody writes to it is asked first: what he wrote last is then in it.
        self.running = is_held(self._journal)
        self.records = Records.replay(read_events(self._journal))

    @property
    def over(self) -> bool:
        """Whether nothing more will come: there is a verdict, or nobody is at work."""
        return self.records.done or not self.running

    @property
    def schedule(self) -> Schedule | None:
        """What there is to do; None in older journals."""
        steps = self.records.start.get("steps")
        return Schedule.from_dict(steps) if steps else None

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of the schedule, or those that have trials."""
        if self.schedule is not None:
            return tuple(steps.cell for steps in self.schedule.cells)
        trials = self.records.by_name.values()
        return tuple(dict.fromkeys(r.trial.cell for r in trials if r.trial.phase != "arm"))

    @property
    def line(self) -> str:
        """Where it is, in one line of plain text."""
        return progress_line(self.records, self.schedule)

    @property
    def summary(self) -> str:
        """The state of the sweep and of its trials, and what to do next."""
        records = self.records
        name = records.start.get("sweep", {}).get("name", self._folder.name)
        if records.done:
            state = "done"
        elif self.running:
            state = "running"
        else:
            state = f"interrupted; `medsweep resume {self._folder}` goes on"
        statuses = [r.status for r in records.by_name.values()]
        counts = {s: statuses.count(s) for s in ("running", "finished", "stopped", "failed")}
        if not self.running:
            # Their folders hold what they go on from.
            counts = {"interrupted": counts.pop("running"), **counts}
        told = ", ".join(f"{number} {status}" for status, number in counts.items())
        return f"{name}: {state}; trials: {told}"

    def show(self, console: Console) -> None:
        """Print the table of cells, the summary, and the errors of failed trials."""
        console.print(cells_table(self.cells, self.records))
        if self.running and not self.records.done:
            console.print(self.line, markup=False, highlight=False, soft_wrap=True)
        console.print(self.summary, markup=False, highlight=False, soft_wrap=True)
        for record in self.records.by_name.values():
            if record.error:
                text = f"  {record.trial.name} failed: {record.error}"
                console.print(text, markup=False, highlight=False, soft_wrap=True)


def follow(status: SweepStatus, console: Console) -> None:
    """Show a sweep until it ends: as it moves in a terminal, else a line every half minute."""
    if console.is_terminal and not console.is_dumb_terminal:
        dashboard = Dashboard(lambda: status.records, status.schedule, status.cells)
        with Live(dashboard, console=console, auto_refresh=False, transient=True) as live:
            while not status.over:
                live.refresh()
                time.sleep(LOOK / 2)
                status.refresh()
        return
    due = 0.0
    while not status.over:
        if time.monotonic() >= due:
            console.print(status.line, markup=False, highlight=False, soft_wrap=True)
            due = time.monotonic() + PERIOD
        time.sleep(LOOK)
        status.refresh()
