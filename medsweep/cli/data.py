"""`medsweep data`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from medsweep.cli.corpus_options import COLUMNS, MAX_MISPLACED, READING, columns_of
from medsweep.cli.data_check import check
from medsweep.errors import ConfigError


@click.group(
    epilog="""\b
Examples:
  medsweep data check train.jsonl test.jsonl
  medsweep data convert smokers.zip smokers.jsonl
"""
)
def command() -> None:
    """Convert and check corpora. Shows counts, ids and names of labels, never text."""


command.add_command(check)


@command.command(
    epilog="""\b
Examples:
  medsweep data convert smokers.zip smokers.jsonl
  medsweep data convert train.tsv train.jsonl --format conll
  medsweep data convert notes.csv notes.jsonl --column text=note --column label=status
  medsweep data convert letters.jsonl letters --to webanno-tsv
"""
)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--to",
    metavar="F",
    help="Format to write: jsonl, csv, tsv, conll, brat, webanno-tsv; else OUT's ending.",
)
@READING
@COLUMNS
@MAX_MISPLACED
def convert(
    source: Path,
    target: Path,
    to: str | None,
    names: tuple[str, ...],
    **how: Any,
) -> None:
    """Write a file or folder as JSON lines, a table, CoNLL, brat or WebAnno TSV.

    OUT.report.json counts what was read, and what was changed by reading and writing: formats
    differ in what they hold. Both are written whole or not at all, and only you may read them.
    """
    import json
    from collections import Counter

    from medsweep.corpus._base import Changes
    from medsweep.corpus.read import scan
    from medsweep.corpus.summary import summarise
    from medsweep.corpus.write import write_atomically
    from medsweep.corpus.writers import writer_for

    columns = columns_of(names)
    writer = writer_for(target, to)
    if not target.absolute().parent.is_dir():
        raise ConfigError("no such folder", where=str(target.parent), fix="make it first")
    if target.exists() and source.exists() and target.samefile(source):
        raise ConfigError("would be overwritten by itself", where=str(target), fix="name another")
    changes = Changes()
    documents = list(scan(source, columns=columns, changes=changes, **how))
    summary = summarise(documents)
    lost: Counter[str] = Counter()
    writer.write(documents, target, lost)
    report = {
        "format": changes.format,
        "files": changes.files,
        "changes": dict(sorted(changes.items())),
        "misplaced": [error.where for error in changes.misplaced],
        "written": writer.name,
        "changed_by_writing": dict(sorted(lost.items())),
        **summary.to_dict(),
    }
    write_atomically(
        target.with_name(f"{target.name}.report.json"), [json.dumps(report, indent=2) + "\n"]
    )
    labelled = sum(d.label is not None or d.labels is not None for d in documents)
    mentions = sum(summary.types.values())
    click.echo(
        f"{target}: {summary.documents} documents, {labelled} with a label, "
        f"{mentions} mentions, from {changes.files} {changes.format} file(s)",
        err=True,
    )
    for act, kinds in (("reading", changes), ("writing", lost)):
        for kind, count in sorted(kinds.items()):
            click.echo(f"  {act}: {kind}: {count}", err=True)
