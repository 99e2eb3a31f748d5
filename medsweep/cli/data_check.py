"""`medsweep data check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medsweep.cli.corpus_options import COLUMNS, READING, columns_of
from medsweep.errors import ConfigError
from medsweep.training.recipe import Recipe

if TYPE_CHECKING:
    from medsweep.corpus import Document


@click.command(
    epilog="""\b
Examples:
  medsweep data check notes.jsonl
  medsweep data check train.jsonl test.jsonl --sizes 50,100,200
  medsweep data check train.jsonl --model distilbert-base-uncased --html check.html
  medsweep data check train.tsv test.tsv --format conll --json
"""
)
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@READING
@COLUMNS
@click.option(
    "--model", "models", multiple=True, metavar="M", help="Count its tokens. May be repeated."
)
@click.option(
    "--max-length",
    type=click.IntRange(min=8),
    metavar="N",
    help=f"training.max_length: tokens that --model reads at once [{Recipe().max_length}].",
)
@click.option("--sizes", metavar="N,N", help="Training sizes, for which classes are counted.")
@click.option(
    "--html", metavar="FILE", type=click.Path(path_type=Path), help="Write a page as well."
)
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
def check(
    files: tuple[Path, ...],
    names: tuple[str, ...],
    models: tuple[str, ...],
    max_length: int | None,
    sizes: str | None,
    html: Path | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Look through corpora: classes, lengths, repeats, what files share, damage.

    Shows counts, names of classes and ids, never text.
    """
    import json

    from medsweep.corpus._base import Changes
    from medsweep.corpus.check import changed_mentions, check_corpora
    from medsweep.corpus.read import scan

    columns, numbers = columns_of(names), _sizes(sizes)
    if html is not None and not html.absolute().parent.is_dir():
        raise ConfigError("no such folder", where=str(html.parent), fix="make it first")
    if max_length is not None and not models:
        raise ConfigError("there are no tokens", where="--max-length", fix="name a --model as well")
    changes = {str(f): Changes() for f in files}
    corpora: dict[str, list[Document]] = {}
    changed: dict[str, dict[str, list[str]]] = {}
    for name, counted in changes.items():
        # What is wrong with a corpus is to be seen here, whatever the share of it.
        read = scan(name, columns=columns, max_misplaced=1.0, changes=counted, **how)
        corpora[name], changed[name] = changed_mentions(read, counted)
    found = check_corpora(corpora, changes, changed, numbers)
    _add_tokens(found, corpora, models, max_length or Recipe().max_length)
    if html is not None:
        from medsweep.report.check import write_check

        write_check(found, html)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _show(found)


def _sizes(sizes: str | None) -> list[int]:
    parts = [p.strip() for p in sizes.split(",")] if sizes else []
    if not all(p.isdecimal() and 0 < len(p) < 10 and int(p) for p in parts):
        raise ConfigError(
            "not whole numbers with commas between", where="--sizes", fix="write 50,100,200"
        )
    return sorted({int(p) for p in parts})


def _add_tokens(
    found: Mapping[str, Any],
    corpora: Mapping[str, Sequence[Document]],
    models: tuple[str, ...],
    max_length: int,
) -> None:
    from dataclasses import asdict

    if not models:
        return
    from medsweep.models.lengths import token_lengths

    for name, documents in corpora.items():
        texts = [d.text for d in documents]
        found["files"][name]["tokens"] = {
            m: asdict(token_lengths(texts, m, max_length)) for m in models
        }


def _show(found: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from medsweep.report.check import check_tables

    console = Console()
    for made in check_tables(found):
        # Not as the table's title: that would wrap at the table's width.
        console.print(escape(made.title), style="bold", highlight=False)
        table = Table(box=None, pad_edge=False)
        for number, cell in enumerate(made.head):
            table.add_column(escape(cell), justify="right" if number else "left", overflow="fold")
        for row in made.rows:
            table.add_row(*map(escape, row))
        console.print(table)
        console.print(escape(f"{made.note}\n" if made.note else ""), highlight=False)
