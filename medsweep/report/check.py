"""What `medsweep data check` found, as tables for the terminal and as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from medsweep.corpus.coverage import FEW, RARE
from medsweep.corpus.near_duplicates import ALIKE
from medsweep.corpus.write import write_atomically
from medsweep.report.templating import environment

_ENTANGLED = ("nested", "overlapping", "discontinuous")
_CUT = (
    "A window: training.max_length, or the longest input if that is less. Longer texts are cut "
    "into overlapping windows; zero- and few-shot arms have a max_length of their own."
)


@dataclass(frozen=True, slots=True)
class CheckTable:
    """A heading, the head's cells, rows whose first cell is their name, and a note."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def check_tables(found: Mapping[str, Any]) -> list[CheckTable]:
    """The tables that have rows; see :func:`medsweep.corpus.check.check_corpora`."""
    short = _short_names(list(found["files"]))
    files = {short[name]: file for name, file in found["files"].items()}
    shared = [{**pair, "files": [short[n] for n in pair["files"]]} for pair in found["shared"]]
    tables = [
        _side_by_side("Documents", {n: _counts(f) for n, f in files.items()}),
        _side_by_side("Lengths in tokens", {n: _tokens(f) for n, f in files.items()}, _CUT),
        _side_by_side(
            "Characters of a mention, median (longest)",
            {n: _mentions(f) for n, f in files.items()},
        ),
        _side_by_side("Changed by reading", {n: _changes(f) for n, f in files.items()}),
        _repeats(files),
        _shared(shared),
        _damage(files),
        _rare(files),
        *(_coverage(name, f["coverage"]) for name, f in files.items()),
    ]
    return [t for t in tables if t.rows]


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """Files without the folders that they share: paths make poor heads of columns."""
    if len(names) < 2:
        return {name: Path(name).name or name for name in names}
    folders = [Path(name).parts[:-1] for name in names]
    alike = sum(
        1 for _ in takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    )
    return {name: str(Path(*Path(name).parts[alike:])) for name in names}


def write_check(found: Mapping[str, Any], path: Path) -> None:
    """Write the page, whole or not at all; it holds ids, and only the user may read it."""
    page = environment().get_template("check.html.j2").render(tables=check_tables(found))
    write_atomically(path, [page])


def _side_by_side(title: str, files: Mapping[str, Mapping[str, str]], note: str = "") -> CheckTable:
    """A column a file; a row that a file lacks is empty there."""
    names = dict.fromkeys(row for rows in files.values() for row in rows)
    rows = [[name, *(rows.get(name, "") for rows in files.values())] for name in names]
    return CheckTable(title, ["", *files], rows, note)


def _counts(file: Mapping[str, Any]) -> dict[str, str]:
    """Labels and types only where there are any."""
    rows = {"documents": file["documents"], "without gold": file["unlabelled"]}
    rows |= {f"label {name}": n for name, n in file["labels"].items()}
    rows |= {f"mentions of {name}": n for name, n in file["types"].items()}
    rows |= {f"attribute {name}": n for name, n in file["attributes"].items()}
    if file["types"]:
        rows |= {f"{kind} mentions": file[kind] for kind in _ENTANGLED}
    rows["groups"] = file["groups"]
    rows |= {f"characters, {p} %": n for p, n in file["characters"].items()}
    return {row: f"{n:,}" for row, n in rows.items()}


def _changes(file: Mapping[str, Any]) -> dict[str, str]:
    ids = {kind: _listed(found) for kind, found in file["changed"].items()}
    return {kind: f"{count:,}{ids.get(kind, '')}" for kind, count in file["changes"].items()}


def _mentions(file: Mapping[str, Any]) -> dict[str, str]:
    return {
        type_: f"{lengths['median']:,} ({lengths['longest']:,})"
        for type_, lengths in file["mention_characters"].items()
    }


def _tokens(file: Mapping[str, Any]) -> dict[str, str]:
    rows = {}
    for model, lengths in file.get("tokens", {}).items():
        rows[f"{model}: longest input"] = f"{lengths['longest']:,}"
        rows[f"{model}: median text"] = f"{lengths['median']:,}"
        rows[f"{model}: longest text"] = f"{lengths['most']:,}"
        rows[f"{model}: texts over the longest input"] = f"{lengths['over']:,}"
        rows[f"{model}: window"] = f"{lengths['window']:,}"
        rows[f"{model}: texts over a window"] = f"{lengths['over_window']:,}"
    return rows


def _repeats(files: Mapping[str, Any]) -> CheckTable:
    rows = {}
    for name, file in files.items():
        repeats = file["repeats"]
        rows[name] = {
            "repeats with the same gold": f"{repeats['joined']:,}",
            "repeats with different gold": f"{repeats['conflicting']:,}",
            "texts of those": f"{repeats['conflicting_texts']:,}",
            "nearly another text of the file": _with_ids(file["near_duplicates"]),
        }
    note = f"Nearly: {ALIKE:.0%} of the five-character strings of two texts are the same."
    return _side_by_side("Repeated texts", rows, note)


def _shared(pairs: Sequence[Mapping[str, Any]]) -> CheckTable:
    rows = [
        [
            f"{a} and {b}",
            *(f"{pair[what]:,}" for what in ("texts", "ids", "groups")),
            *map(_with_ids, pair["near_duplicates"]),
        ]
        for pair in pairs
        for a, b in [pair["files"]]
    ]
    head = ["", "texts", "ids", "groups", "of the first nearly in the second", "the other way"]
    return CheckTable("Shared by two files", head, rows, "Groups on both sides leak.")


def _damage(files: Mapping[str, Any]) -> CheckTable:
    rows = [
        [f["kind"], name, f"{f['count']:,}", f"{f['documents']:,}", ", ".join(f["ids"])]
        for name, file in files.items()
        for f in file["damage"]
    ]
    return CheckTable("Damage", ["", "file", "times", "documents", "first ids"], rows)


def _rare(files: Mapping[str, Any]) -> CheckTable:
    rows = [
        [r["name"], name, f"{r['documents']}", "" if r["mentions"] is None else f"{r['mentions']}"]
        for name, file in files.items()
        for r in file["rare"]
    ]
    note = f"Labels of fewer than {RARE} documents, types of fewer than {RARE} mentions."
    return CheckTable("Rare classes", ["", "file", "documents", "mentions"], rows, note)


def _coverage(name: str, classes: Sequence[Mapping[str, Any]]) -> CheckTable:
    sizes = list(classes[0]["at"]) if classes else []
    rows = [
        [c["name"], f"{c['documents']:,}", *(_few(c["at"][s], s in c["rare_at"]) for s in sizes)]
        for c in classes
    ]
    head = ["", "all", *(f"of {s}" for s in sizes)]
    note = f"Marked: fewer than {FEW} documents, too few to learn a class from."
    return CheckTable(f"Documents of a class at each training size, {name}", head, rows, note)


def _few(count: float, rare: bool) -> str:
    return f"{count:.3g}{' !' if rare else ''}"


def _with_ids(found: Mapping[str, Any]) -> str:
    return f"{found['documents']:,}{_listed(found)}"


def _listed(found: Mapping[str, Any]) -> str:
    """The first ids in brackets; nothing where there are none."""
    ids = found["ids"]
    more = ", …" if found["documents"] > len(ids) else ""
    return f" ({', '.join(ids)}{more})" if ids else ""
