"""`medsweep predict`."""

from __future__ import annotations

from pathlib import Path

import click

from medsweep.cli.corpus_options import COLUMNS, FORMAT, LAYER, columns_of


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

    from medsweep.export import predict_documents

    rows = predict_documents(
        adapter, documents, format=format_, columns=columns_of(names), layer=layer, base=base
    )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if out is None:
        sys.stdout.write(lines)
    else:
        out.write_text(lines, encoding="utf-8")
