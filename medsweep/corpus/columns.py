"""Which column of a table is the text, the label, the patient: told by what they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

from medsweep.corpus._base import Columns, Reading
from medsweep.corpus._wrappings import unwrapped
from medsweep.corpus.readers import infer, reader_named
from medsweep.corpus.readers._header import is_plain
from medsweep.errors import DataError

# Rows that are looked at.
SAMPLE = 1000
# Shorter ones are names, on the average, in characters.
SHORTEST_TEXT = 20
# A class is seen more than once, and there are not as many as documents.
MOST_CLASSES = 50

_TEXT = re.compile(r"text|note|report|letter|document|content|abstract|body|befund|brief", re.I)
_GROUP = re.compile(r"patient|pat_?(?:id|nr|no)|subject|person|group|case_?id|fall|mrn|hadm", re.I)
_ID = re.compile(r"(?:^|[_\W])(?:id|nr|no|uid|guid|key)$|^(?:id|note_?id|doc_?id)", re.I)
_LABEL = re.compile(
    r"label|class|categor|kategorie|klasse|target|gold|status|diagnos|dx|outcome|answer|sentiment",
    re.I,
)


def guessed_columns(
    path: Path, columns: Columns, *, format: str | None = None, encoding: str | None = None
) -> Columns:
    """The columns of a table or of JSON's records, where ``columns`` names some that it lacks.

    Those that were named stay. What is unchanged was found under its usual name, or not at all.

    Raises:
        DataError: there is no column of texts, or there are several that could be the label.
    """
    rows = _rows(path, Reading(columns, encoding=encoding), format)
    names = list(dict.fromkeys(name for row in rows for name in row if name))
    usual, parts = asdict(Columns()), asdict(columns)
    taken = {v for v in parts.values() if v in names}
    free = [n for n in names if n not in taken]
    if not rows or any(v != usual[k] and v not in names for k, v in parts.items()):
        return columns
    held = {n: _strings(rows, n) for n in free}
    guesses: dict[str, str] = {}
    if columns.text not in names:
        guesses["text"] = _text(held, path)
        held.pop(guesses["text"], None)
    if columns.id not in names:
        unique = [n for n in held if _ID.search(n) and _is_unique(held[n], len(rows))]
        guesses.update({"id": unique[0]} if unique else {})
        held.pop(guesses.get("id", ""), None)
    if columns.group not in names:
        groups = [n for n in held if _GROUP.search(n) and len(held[n]) == len(rows)]
        guesses.update({"group": groups[0]} if groups else {})
        held.pop(guesses.get("group", ""), None)
    if not {columns.label, columns.labels, columns.entities} & {*names}:
        label = _label(held, path)
        guesses.update({"label": label} if label else {})
    return replace(columns, **guesses)


def _text(held: Mapping[str, Sequence[str]], path: Path) -> str:
    """The column of the longest cells, or where all are short the one that is called a text."""
    lengths = {n: sum(map(len, cells)) / len(cells) for n, cells in held.items() if cells}
    longest = max(lengths, key=lengths.__getitem__, default=None)
    prose = longest and any(" " in cell for cell in held[longest])
    named = [n for n in lengths if _TEXT.search(n) and not _ID.search(n)]
    if longest is None or not prose or lengths[longest] < SHORTEST_TEXT:
        if len(named) == 1:
            return named[0]
        raise DataError(
            f"no column looks like the text{_listed(held)}",
            where=str(path),
            fix="name it: --column text=NAME",
        )
    return longest


def _label(held: Mapping[str, Sequence[str]], path: Path) -> str | None:
    """The only column of few different names, or the only one that is called like a label."""
    classes = [n for n, cells in held.items() if _holds_classes(cells)]
    named = [n for n in classes if _LABEL.search(n)]
    chosen = named or classes
    if len(chosen) > 1:
        raise DataError(
            f"several columns could be the label{_listed(chosen)}",
            where=str(path),
            fix="name one: --column label=NAME",
        )
    return chosen[0] if chosen else None


def _holds_classes(cells: Sequence[str]) -> bool:
    kinds = {*cells}
    return (
        1 < len(kinds) <= min(MOST_CLASSES, max(2, len(cells) // 2)) and max(map(len, kinds)) <= 60
    )


def _is_unique(cells: Sequence[str], rows: int) -> bool:
    return len({*cells}) == rows


def _listed(names: Any) -> str:
    shown = [n for n in names if is_plain(n)][:20]
    return f" ({', '.join(shown)})" if shown else ""


def _strings(rows: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """The cells of a column that hold something, as they are written; no lists or objects."""
    cells = (row.get(name) for row in rows)
    return [str(c).strip() for c in cells if isinstance(c, str | int | float) and str(c).strip()]


def _rows(path: Path, reading: Reading, format: str | None) -> list[Mapping[str, Any]]:
    """The first rows of a table or of JSON's records; none of other formats."""
    with unwrapped(path) as plain:
        files = sorted(f for f in plain.rglob("*") if f.is_file()) if plain.is_dir() else [plain]
        for file in files:
            reader = reader_named(format) if format else infer(file, reading)
            raw = getattr(reader, "rows", None)
            if raw is not None or file.suffix.lower() in (".tsv", ".tab", ".json"):
                found = raw(file, reading) if raw else _of_unknown(file, reading)
                return list(islice(found, SAMPLE))
    return []


def _of_unknown(file: Path, reading: Reading) -> Any:
    """Of a file that may be a table or records, were the text's name known."""
    return reader_named("json" if file.suffix.lower() == ".json" else "csv").rows(file, reading)  # type: ignore[attr-defined]
