"""Options of the verbs that read corpora."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from medsweep.corpus.readers import known
from medsweep.errors import ConfigError

if TYPE_CHECKING:
    from medsweep.corpus import Columns

FORMAT = click.option(
    "--format", "format_", metavar="F", help=f"Format, where the file does not tell: {known()}."
)
LAYER = click.option("--layer", metavar="NAME", help="Annotation layer, for formats with several.")
COLUMNS = click.option(
    "--column",
    "names",
    multiple=True,
    metavar="PART=NAME",
    help="Column of a part (id, text, label, labels, entities, group), such as text=note. May be "
    "repeated.",
)


def columns_of(names: tuple[str, ...]) -> Columns:
    """The columns that ``--column`` named.

    Raises:
        ConfigError: one is not ``PART=NAME``.
    """
    from medsweep.corpus import Columns

    pairs = [name.partition("=")[::2] for name in names]
    for part, name in pairs:
        if part not in Columns.__dataclass_fields__ or not name:
            raise ConfigError(
                f"{part!r} is not PART=NAME",
                where="--column",
                fix=f"write one of {', '.join(Columns.__dataclass_fields__)}, =, and its column",
            )
    return Columns(**dict(pairs))
