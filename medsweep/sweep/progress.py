"""What a person sees while a sweep runs: cells, best scores, steps, time left.

All of it is read from the schedule and the records, so that another process sees the same.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from medsweep.console import ProgressConsole, beating
from medsweep.record.records import Records
from medsweep.record.trial import Cell, CellKey
from medsweep.sweep.schedule import Schedule

if TYPE_CHECKING:
    from medsweep.search.coordinator import Coordinator

# Of all weight, what must be done before the rest can be guessed.
ENOUGH = 0.02


class Dashboard:
    """A sweep at this moment; renders itself anew at every refresh.

    Args:
        records: gives all trials so far.
        schedule: what there is to do; None in the journals of older sweeps.
        cells: the rows of the table.
        given_up: gives the (model, training size) that are passed over.
    """

    def __init__(
        self,
        records: Callable[[], Records],
        schedule: Schedule | None,
        cells: tuple[Cell, ...],
        given_up: Callable[[], Collection[CellKey]] = tuple,
    ) -> None:
        self._records, self._schedule, self._cells = records, schedule, cells
        self._given_up = given_up

    def __rich__(self) -> Group:
        records = self._records()
        parts: list[RenderableType] = [cells_table(self._cells, records), Text(self.line)]
        if self._schedule is not None:
            tally = self._schedule.tally(records, self._given_up())
            parts.append(ProgressBar(total=max(1, tally.total), completed=tally.done, width=60))
        return Group(*parts)

    @property
    def line(self) -> str:
        """All of it in one line of plain text."""
        return progress_line(self._records(), self._schedule, self._given_up())


def progress_line(
    records: Records,
    schedule: Schedule | None,
    given_up: Collection[CellKey] = (),
    *,
    now: float | None = None,
) -> str:
    """Steps, cells, best dev score, trials by status, time gone, time left.

    Args:
        records: all trials so far.
        schedule: what there is to do.
        given_up: (model, training size) that are passed over.
        now: seconds since the epoch.
    """
    now = time.time() if now is None else now
    began = max(records.start.get("time", now), records.resumed)
    parts = []
    if schedule is not None:
        tally = schedule.tally(records, given_up)
        parts.append(f"{tally.done}/{tally.total} steps")
        parts.append(f"{tally.cells_done}/{tally.cells} cells done")
    trials = list(records.by_name.values())
    scored = [r for r in trials if r.trial.phase == "search" and r.best is not None]
    if scored:
        best = max(scored, key=lambda r: r.best or 0.0)
        parts.append(f"best dev {best.best:.3f} ({best.trial.cell.model}-n{best.trial.cell.size})")
    statuses = Counter(r.status for r in trials)
    parts.append(f"{statuses['running']} running")
    parts += [f"{statuses[s]} {s}" for s in ("stopped", "failed") if statuses[s]]
    parts.append(f"{clock(now - began)} gone")
    if schedule is not None and (left := _left(schedule, records, given_up, began, now)):
        parts.append(left)
    return ", ".join(parts)


def _left(
    schedule: Schedule,
    records: Records,
    given_up: Collection[CellKey],
    began: float,
    now: float,
) -> str:
    """The time that is left, from what the steps weigh since the sweep was last begun."""
    tally, before = schedule.tally(records, given_up), schedule.tally(records, given_up, began)
    fresh = tally.spent - before.spent
    if fresh <= ENOUGH * tally.weight or tally.done >= tally.total:
        return ""
    most = "at most " if schedule.frontier else ""
    seconds = (now - began) / fresh * (tally.weight - tally.spent)
    return f"{most}about {clock(seconds)} left"


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
def shown(coordinator: Coordinator, schedule: Schedule, console: ProgressConsole) -> Iterator[None]:
    """Show the sweep while the body runs: as it moves, or as a line every half minute."""
    cells = coordinator.plan.cells
    records = coordinator.records
    dashboard = Dashboard(lambda: records, schedule, cells, coordinator.given_up)
    if not console.plain:
        with Live(dashboard, console=console, refresh_per_second=2):
            yield
        return
    console.say(dashboard.line)
    with beating(lambda: console.say(dashboard.line)):
        yield
    console.print(cells_table(cells, records))
    console.say(dashboard.line)


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are some."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
