"""Names of a table's columns."""

from __future__ import annotations

import difflib
import re

from medsweep.corpus._base import Columns
from medsweep.errors import DataError


def checked_header(header: list[str], columns: Columns, where: str) -> list[str]:
    """``header``, which must have the column of the text, and every column that was named."""
    if any(c and header.count(c) > 1 for c in header):
        raise DataError(f"a column name appears twice ({column_names(header)})", where=where)
    usual = Columns()
    for part in ("text", "id", "label", "labels", "entities", "group", "split"):
        name = getattr(columns, part)
        # A column that the user named must be there; the usual names are optional but for text.
        if name not in header and (part == "text" or name != getattr(usual, part)):
            near = difflib.get_close_matches(name, [c for c in header if is_plain(c)], 1, 0.7)
            raise DataError(
                f"no column {name!r} for the {part} in the header ({column_names(header)})",
                where=where,
                fix=f"name the column of the {part} under columns (--column {part}="
                f"{near[0] if near else 'NAME'})",
            )
    return header


def column_names(names: list[str]) -> str:
    """Column names for a message; cells of a file without header may be text and are left out."""
    known = [n for n in names if is_plain(n)]
    return f"{len(names)} columns" + (f": {', '.join(known[:20])}" if known == names else "")


def is_plain(name: str) -> bool:
    """Whether a cell is surely a name, and no text."""
    return re.fullmatch(r"[^\W\d][\w.-]{0,39}", name) is not None
