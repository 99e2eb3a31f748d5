"""`medsweep run`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="""\b
Examples:
  medsweep run sweeps/quickstart.yaml
  medsweep run sweep.yaml --out runs/first --set search.trials=4
  medsweep run sweep.yaml --set data.train.path=notes.jsonl --address auto
  medsweep run sweep.yaml --quiet > verdict.txt
"""
)
@click.argument("sweep_file", metavar="SWEEP.yaml", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder of results [runs/NAME].")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one key of the sweep file, such as decide.margin=0.03. May be repeated.",
)
@click.option("--address", help="A Ray cluster: auto, or HOST:PORT. Without it, this machine.")
@click.option("--quiet", is_flag=True, help="No progress: the verdict and errors alone.")
def command(
    sweep_file: Path,
    out: Path | None,
    overrides: tuple[str, ...],
    address: str | None,
    quiet: bool,
) -> None:
    """Run a sweep to its verdict.

    Reads documents, trains adapters over models, sizes and draws, predicts the test set once,
    and decides. Interrupted sweeps go on with `medsweep resume`.
    """
    from medsweep.console import ProgressConsole

    console = ProgressConsole(quiet=quiet)
    # Before the imports, which take a second.
    with console.status("reading the sweep file"):
        from medsweep.cli.verdict import show
        from medsweep.config import load_sweep
        from medsweep.plan.inputs import input_problems
        from medsweep.sweep import run_sweep

        sweep = load_sweep(sweep_file, overrides, input_problems)
    folder = out or Path("runs") / sweep.name
    show(run_sweep(sweep, folder, address=address, console=console), folder)
