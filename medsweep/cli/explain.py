"""`medsweep explain`."""

from __future__ import annotations

import click


@click.command(
    epilog="""\b
Examples:
  medsweep explain                        the keys of a sweep file
  medsweep explain search                 a section and its keys
  medsweep explain data.train.columns
  medsweep explain arms.options.few_shot  the options of an arm
"""
)
@click.argument("key", default="")
@click.option("--markdown", is_flag=True, help="All keys as one page (docs/sweep-file.md).")
def command(key: str, markdown: bool) -> None:
    """Say what a key of the sweep file means, what may stand there, and its default."""
    from medsweep.config.reference import as_markdown, as_text, keys_at

    click.echo(as_markdown() if markdown else as_text(keys_at(key)))
