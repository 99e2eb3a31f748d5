"""`medsweep predict`."""

from __future__ import annotations

from pathlib import Path

import click

from medsweep.cli.corpus_options import COLUMNS, FORMAT, LAYER, columns_of
from medsweep.errors import ConfigError


@click.command(
    epilog="""\b
Examples:
  medsweep predict adapter notes.jsonl > predictions.jsonl
  medsweep predict runs/smoking-status/adapters/all-minilm-l6-v2-n100-d0 notes.csv --out p.jsonl
  medsweep predict adapter notes.csv --column text=note --column id=case
"""
)
@click.argument("adapter", metavar="ADAPTER", type=click.Path(path_type=Path))
@click.argument("documents", metavar="NOTES", type=click.Path(path_type=Path))
@FORMAT
@LAYER
@COLUMNS
@click.option("--base", help="Base model, where it lies elsewhere than at training.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write [standard output].")
def command(
    adapter: Path,
    documents: Path,
    format_: str | None,
    layer: str | None,
    names: tuple[str, ...],
    base: str | None,
    out: Path | None,
) -> None:
    """Label new documents with an adapter; writes JSON lines with ids, never text."""
    import json
    import sys

    from medsweep.console import ProgressConsole

    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise ConfigError("no file can be written there", where=str(out), fix="name a file")
    # Before the imports, which take seconds.
    with ProgressConsole().status("reading the adapter") as status:
        from medsweep.corpus.write import write_atomically
        from medsweep.export import predict_documents

        rows = predict_documents(
            adapter,
            documents,
            format=format_,
            columns=columns_of(names),
            layer=layer,
            base=base,
            begin=status.update,
        )
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if out is None:
        sys.stdout.writelines(lines)
    else:
        write_atomically(out, lines)
