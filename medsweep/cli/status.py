"""`medsweep status`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="""\b
Example:
  medsweep status runs/smoking-status
"""
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Show how far a sweep is: cells, best dev scores, trials by status.

    Reads the journal only, so it may be asked while the sweep runs.
    """
    from rich.console import Console

    from medsweep.sweep import sweep_status
    from medsweep.sweep.progress import cells_table

    sweep, records = sweep_status(folder)
    trials = list(records.by_name.values())
    cells = tuple(dict.fromkeys(r.item.cell for r in trials if r.item.phase != "arm"))
    console = Console()
    console.print(cells_table(cells, records))
    counts = {
        status: sum(r.status == status for r in trials)
        for status in ("running", "finished", "stopped", "failed")
    }
    line = ", ".join(f"{number} {status}" for status, number in counts.items())
    state = "done" if records.done else "not done"
    console.print(f"{sweep.name}: {state}; trials: {line}", highlight=False)
    for record in trials:
        if record.error:
            console.print(f"  {record.item.name} failed: {record.error}", highlight=False)
