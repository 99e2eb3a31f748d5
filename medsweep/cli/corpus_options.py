"""Options of the verbs that read corpora."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from medsweep.corpus._base import MAX_MISPLACED as _MAX_MISPLACED
from medsweep.corpus.readers import known
from medsweep.errors import ConfigError

if TYPE_CHECKING:
    from medsweep.corpus import Columns

_Command = TypeVar("_Command", bound=Callable[..., Any])

_FORMAT_HELP = f"Format, where the file does not tell: {known()}."
LAYER = click.option("--layer", metavar="NAME", help="Annotation layer, for formats with several.")
FORMAT = click.option("--format", "format_", metavar="F", help=_FORMAT_HELP)
_OPTIONS = (
    click.option("--format", metavar="F", help=_FORMAT_HELP),
    LAYER,
    click.option(
        "--annotator",
        metavar="NAME",
        help="Whose annotations to read, where documents have several people's.",
    ),
    click.option(
        "--encoding", metavar="E", help="Of text files, such as cp1252 [UTF-8, or as they show]."
    ),
)


def READING(command: _Command) -> _Command:  # noqa: N802 - stands where decorators stand
    """The options that say how a corpus is read, by the names that ``scan`` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


MAX_MISPLACED = click.option(
    "--max-misplaced",
    type=click.FloatRange(0, 1),
    default=_MAX_MISPLACED,
    metavar="SHARE",
    help="Refuse a corpus with more of its mentions out of place, which are left out "
    f"[{_MAX_MISPLACED}].",
)
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
