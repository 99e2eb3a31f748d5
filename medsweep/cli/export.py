"""`medsweep export`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    epilog="""\b
Examples:
  medsweep export runs/smoking-status --to adapter
  medsweep export runs/smoking-status --to adapter --model all-minilm-l6-v2 --size 100
"""
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--to", "target", required=True, type=click.Path(path_type=Path), help="Folder to write."
)
@click.option("--model", help="Another model than the verdict's smallest.")
@click.option("--size", type=int, help="Another training size than the verdict's.")
@click.option("--draw", type=int, help="Another draw than the one that scored best on dev.")
@click.option("--fold", type=int, help="Another fold, from 0, of a cross-validation.")
def command(
    folder: Path,
    target: Path,
    model: str | None,
    size: int | None,
    draw: int | None,
    fold: int | None,
) -> None:
    """Hand over an adapter as a plain PEFT folder with a model card.

    After a cross-validation a cell has an adapter in every fold and draw; one is handed over, and
    its card says which. The verdict is about all of them together.

    Before the command says done, the folder is loaded with plain PEFT and must give the very
    test predictions that the sweep scored.
    """
    from medsweep.console import ProgressConsole

    # Before the imports, which take seconds.
    with ProgressConsole().status("reading the verdict") as status:
        from medsweep.export import export_adapter

        checked = export_adapter(
            folder, target, model=model, size=size, draw=draw, fold=fold, begin=status.update
        )
    click.echo(
        f"{target}: adapter {checked.name}, reloaded with plain PEFT; "
        f"{checked.documents} of {checked.documents} test predictions are the sweep's"
    )
