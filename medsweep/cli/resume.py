"""`medsweep resume`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="""\b
Example:
  medsweep resume runs/smoking-status
"""
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--address", help="A Ray cluster: auto, or HOST:PORT. Without it, this machine.")
@click.option("--quiet", is_flag=True, help="No progress: the verdict and errors alone.")
def command(folder: Path, address: str | None, quiet: bool) -> None:
    """Go on with an interrupted sweep.

    Trials go on from their last evaluation and nothing is trained twice. Failed arms and failed
    confirmations are tried again. A finished sweep prints its verdict.
    """
    from medsweep.console import ProgressConsole

    console = ProgressConsole(quiet=quiet)
    # Before the imports, which take a second.
    with console.status("reading the journal"):
        from medsweep.cli.verdict import show
        from medsweep.sweep import resume_sweep
    show(resume_sweep(folder, address=address, console=console), folder)
