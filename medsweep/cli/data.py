"""`medsweep data`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medsweep.errors import ConfigError

if TYPE_CHECKING:
    from medsweep.corpus import Columns

_FORMAT = click.option(
    "--format", "format_", metavar="F", help="Format, where the file does not tell."
)
_LAYER = click.option("--layer", metavar="NAME", help="Annotation layer, for formats with several.")
_COLUMNS = click.option(
    "--column",
    "names",
    multiple=True,
    metavar="PART=NAME",
    help="Column of a part (id, text, label, entities, group), such as text=note. May be repeated.",
)


@click.group(
    epilog="""\b
Examples:
  medsweep data check train.jsonl test.jsonl
  medsweep data convert smokers.zip smokers.jsonl
"""
)
def command() -> None:
    """Convert and check corpora. Shows counts and names of labels, never text."""


@command.command(
    epilog="""\b
Examples:
  medsweep data convert smokers.zip smokers.jsonl
  medsweep data convert train.tsv train.jsonl --format conll
  medsweep data convert notes.csv notes.jsonl --column text=note --column label=status
"""
)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT.jsonl", type=click.Path(path_type=Path))
@_FORMAT
@_LAYER
@_COLUMNS
def convert(
    source: Path, target: Path, format_: str | None, layer: str | None, names: tuple[str, ...]
) -> None:
    """Write a file or folder of any supported format as JSON lines.

    OUT.jsonl.report.json counts what was read. Both files are written whole or not at all, and
    only you may read them.
    """
    import json
    from collections import Counter

    from medsweep.corpus.read import resolve_files, scan
    from medsweep.corpus.summary import summarise
    from medsweep.corpus.write import write_atomically, write_jsonl

    columns = _columns(names)
    if not target.absolute().parent.is_dir():
        raise ConfigError("no such folder", where=str(target.parent), fix="make it first")
    changes: Counter[str] = Counter()
    documents = list(
        scan(source, format=format_, columns=columns, layer=layer, changes=changes)
    )
    reader, files = resolve_files(source, format_, columns)
    summary = summarise(documents)
    write_jsonl(documents, target)
    report = {
        "format": reader.name,
        "files": len(files),
        "changes": dict(sorted(changes.items())),
        **summary.to_dict(),
    }
    write_atomically(
        target.with_name(f"{target.name}.report.json"), [json.dumps(report, indent=2) + "\n"]
    )
    mentions = sum(summary.types.values())
    click.echo(
        f"{target}: {summary.documents} documents, {sum(summary.labels.values())} with a label, "
        f"{mentions} mentions, from {len(files)} {reader.name} file(s)",
        err=True,
    )
    for change, count in sorted(changes.items()):
        click.echo(f"  {change}: {count}", err=True)


@command.command(
    epilog="""\b
Examples:
  medsweep data check notes.jsonl
  medsweep data check train.jsonl test.jsonl
  medsweep data check train.tsv test.tsv --format conll --json
"""
)
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@_FORMAT
@_LAYER
@_COLUMNS
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
def check(
    files: tuple[Path, ...],
    format_: str | None,
    layer: str | None,
    names: tuple[str, ...],
    as_json: bool,
) -> None:
    """Count labels, mentions and repeated texts, and what several files share."""
    import itertools
    import json

    from medsweep.corpus.read import scan
    from medsweep.corpus.summary import compare, summarise

    columns = _columns(names)
    corpora = {str(f): list(scan(f, format=format_, columns=columns, layer=layer)) for f in files}
    found = {
        "files": {name: summarise(documents).to_dict() for name, documents in corpora.items()},
        "shared": [
            {"files": [a, b], **compare(corpora[a], corpora[b])}
            for a, b in itertools.combinations(corpora, 2)
        ],
    }
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _show(found)


def _columns(names: tuple[str, ...]) -> Columns:
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


def _show(found: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    files = found["files"]
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for name in files:
        table.add_column(escape(name), justify="right", overflow="fold")
    rows: dict[str, list[str]] = {}
    for number, summary in enumerate(files.values()):
        for row, value in _rows(summary).items():
            rows.setdefault(row, [""] * len(files))[number] = value
    for row, values in rows.items():
        table.add_row(escape(row), *values)
    Console().print(table)
    for pair in found["shared"]:
        a, b = pair["files"]
        shared = ", ".join(f"{pair[what]} {what}" for what in ("texts", "ids", "groups"))
        click.echo(f"{a} and {b} share {shared}")


def _rows(summary: Mapping[str, Any]) -> dict[str, str]:
    """One corpus as rows of the table; labels and types only where there are any."""
    repeats = summary["repeats"]
    rows = {"documents": summary["documents"], "without gold": summary["unlabelled"]}
    rows |= {f"label {name}": n for name, n in summary["labels"].items()}
    rows |= {f"mentions of {name}": n for name, n in summary["types"].items()}
    if summary["discontinuous"]:
        rows["discontinuous mentions"] = summary["discontinuous"]
    rows["groups"] = summary["groups"]
    rows |= {f"characters, {p} %": n for p, n in summary["characters"].items()}
    rows["repeats with the same gold"] = repeats["joined"]
    rows["repeats with different gold"] = repeats["conflicting"]
    rows["texts of those"] = repeats["conflicting_texts"]
    return {row: f"{n:,}" for row, n in rows.items()}
