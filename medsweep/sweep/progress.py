"""What a person sees while a sweep runs: cells, best scores, trials, time left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from medsweep.sweep.coordinator import Coordinator
from medsweep.sweep.items import Cell
from medsweep.sweep.records import Records


class Dashboard:
    """Renders itself anew at every refresh, from the records alone."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._of = coordinator
        self._began = time.monotonic()
        self._done_before = self._counts()[0]

    def __rich__(self) -> Group:
        done, total = self._counts()
        records = list(self._of.records.by_name.values())
        by_status = {
            s: sum(r.status == s for r in records)
            for s in ("running", "finished", "stopped", "failed")
        }
        line = Text.assemble(
            (f"{done}/{total} trials", "bold"),
            f"  running {by_status['running']}  finished {by_status['finished']}"
            f"  stopped {by_status['stopped']}  failed {by_status['failed']}"
            f"  {_clock(time.monotonic() - self._began)}{self._left(done, total)}",
        )
        bar = ProgressBar(total=max(1, total), completed=done, width=60)
        return Group(cells_table(self._of.plan.cells, self._of.records), line, bar)

    def _counts(self) -> tuple[int, int]:
        plan, records = self._of.plan, self._of.records
        done = sum(r.ended is not None for r in list(records.by_name.values()))
        given_up = self._of.given_up()
        total = len(plan.workload.arms)
        for cell in plan.cells:
            whole = cell.rung not in given_up
            total += (
                plan.budgets[cell] + plan.draws_of(cell)
                if whole
                else len(records.of(cell, "search"))
            )
        return done, total

    def _left(self, done: int, total: int) -> str:
        fresh = done - self._done_before
        if fresh < 3:
            return ""
        # Trials of all sizes are still to come, as they were until now.
        seconds = (time.monotonic() - self._began) / fresh * (total - done)
        most = "at most " if self._of.plan.sweep.strategy == "frontier" else ""
        return f"  {most}about {_clock(seconds)} left"


def cells_table(cells: tuple[Cell, ...], records: Records) -> Table:
    """One row a cell: trials by status, the best dev score, draws confirmed."""
    table = Table(box=None, pad_edge=False)
    table.add_column("cell")
    for column in ("trials", "stopped", "failed", "best dev", "draws confirmed"):
        table.add_column(column, justify="right")
    folds = len({cell.fold for cell in cells})
    for cell in cells:
        search, confirm = records.of(cell, "search"), records.of(cell, "confirm")
        scores = [r.best for r in search if r.best is not None]
        table.add_row(
            cell.name_among(folds),
            str(len(search)),
            str(sum(r.status == "stopped" for r in search)),
            str(sum(r.status == "failed" for r in search)),
            f"{max(scores):.3f}" if scores else "",
            str(sum(r.status == "finished" for r in confirm) or ""),
        )
    return table


@contextmanager
def shown(coordinator: Coordinator, console: Console) -> Iterator[None]:
    """Show the dashboard while the body runs; where there is no terminal, its end only."""
    dashboard = Dashboard(coordinator)
    if console.is_terminal:
        with Live(dashboard, console=console, refresh_per_second=2):
            yield
    else:
        yield
        console.print(dashboard)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
