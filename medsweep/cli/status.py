"""`medsweep status`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click


@click.command(
    epilog="""\b
Examples:
  medsweep status runs/smoking-status
  medsweep status --follow runs/smoking-status
"""
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--follow", is_flag=True, help="Go on showing it until the sweep ends; Ctrl-C leaves it alone."
)
def command(folder: Path, follow: bool) -> None:
    """Show how far a sweep is: cells, best dev scores, steps, trials by status.

    Reads the journal only, so it may be asked while the sweep runs, and from another machine.
    """
    from rich.console import Console

    from medsweep.sweep.status import SweepStatus
    from medsweep.sweep.status import follow as show_on

    status, console = SweepStatus(folder), Console()
    if follow:
        with suppress(KeyboardInterrupt):
            show_on(status, console)
            status.refresh()
    status.show(console)
