"""What a report is made of, whatever it is written as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]
    kind: str = "bullets"


@dataclass(frozen=True)
class Table:
    """A table of strings.

    Attributes:
        columns: headers.
        rows: as many strings each.
        caption: what it shows.
        words: indices of columns that hold words; the others are aligned right.
        marked: indices of rows to set off.
        shades: (rows, columns) in [0, 1]: how dark a cell is; empty for none.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    words: frozenset[int] = frozenset({0})
    marked: frozenset[int] = frozenset()
    shades: Sequence[Sequence[float]] = field(default=())
    kind: str = "table"


@dataclass(frozen=True)
class Plot:
    """A figure.

    Attributes:
        name: file name without ending.
        svg: the whole ``<svg>`` element, safe to inline.
        alt: what it shows, for those who cannot see it.
        caption: how to read it.
    """

    name: str
    svg: str
    alt: str
    caption: str
    kind: str = "plot"


Block = Text | Bullets | Table | Plot


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    id: str
    title: str
    blocks: Sequence[Block]
