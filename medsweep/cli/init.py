"""`medsweep init`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medsweep.cli.corpus_options import COLUMNS, READING, columns_of
from medsweep.corpus import Columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from medsweep.corpus import Document
    from medsweep.tasks._base import TaskKind

_CHOOSE = "choose with --task"


@click.command(
    epilog="""\b
Examples:
  medsweep init notes.jsonl
  medsweep init train.csv --test test.csv --out sweeps/notes.yaml
  medsweep init letters.jsonl --task ner
  medsweep init befunde.csv --column text=note --column label=dx --encoding cp1252
  medsweep init --sample smoking sample       synthetic notes, and their sweep.yaml
  medsweep init --sample smoking-short sample short ones, for the quickstart
  medsweep init --sample cardiology sample    German letters with medication
  medsweep init --sample cardiology-findings sample    and with ejection fractions
"""
)
@click.argument("data", metavar="DATA|DIR", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The sweep file [sweep.yaml].")
@click.option(
    "--test", type=click.Path(path_type=Path), help="Test documents, a file of their own."
)
@click.option(
    "--task",
    type=click.Choice(["classification", "multilabel", "ner"]),
    help="What is asked of a document [told by its label, labels or entities].",
)
@READING
@COLUMNS
@click.option(
    "--sample",
    type=click.Choice(["smoking", "smoking-short", "cardiology", "cardiology-findings"]),
    help="Write this synthetic corpus into the folder DIR instead of reading DATA.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the sample [0].")
def command(
    data: Path,
    out: Path | None,
    test: Path | None,
    task: TaskKind | None,
    sample: str | None,
    seed: int,
    names: tuple[str, ...],
    **how: str | None,
) -> None:
    """Write a commented sweep file for your documents, or a sample corpus.

    Nothing is overwritten.
    """
    if sample:
        given: dict[str, object] = {
            "--out": out,
            "--test": test,
            "--task": task,
            "--column": names or None,
        }
        given |= {f"--{option}": value for option, value in how.items()}
        if extra := [option for option, value in given.items() if value is not None]:
            raise click.UsageError(f"{extra[0]} does not go with --sample; leave it out")
        from medsweep.corpus.samples import write_sample

        written = write_sample(sample, data, seed=seed)
        for path in written:
            click.echo(path)
        click.echo(f"next: medsweep plan {written[-1]}")
        return
    out = out or Path("sweep.yaml")
    _write(out, _text(data, test, task, names, how, out))
    click.echo(out)
    click.echo(f"next: medsweep plan {out}")


def _text(
    data: Path,
    test: Path | None,
    task: TaskKind | None,
    names: tuple[str, ...],
    how: dict[str, Any],
    out: Path,
) -> str:
    from collections import Counter

    from medsweep.config.models import slug
    from medsweep.corpus import read_documents, scan
    from medsweep.corpus.samples.sweepfile import sweep_text

    columns, changes = _columns(data, names, how), Counter[str]()
    if task is None:
        # What gold is there tells the kind, so that none can be missed.
        task = _kind(list(scan(data, columns=columns, **how)), data)
    # A corpus that says which documents are for what is taken at its word.
    parts = _parts(scan(data, columns=columns, **how)) if test is None else {}
    documents = read_documents(
        data, kind=task, columns=columns, changes=changes, part=parts.get("train"), **how
    )
    for kind, count in sorted(changes.items()):
        click.echo(f"  reading: {kind}: {count}", err=True)
    if test is not None:
        # Read for its errors: better now than when the sweep starts.
        read_documents(test, kind=task, columns=columns, **how)
    usual = Columns()
    renamed = {p: n for p, n in asdict(columns).items() if n != getattr(usual, p)}
    return sweep_text(
        file=out.as_posix(),
        name=slug(data.stem)[:60] or "sweep",
        purpose=f"{data.name}, {len(documents)} documents: the smallest model, the fewest labels.",
        kind=task,
        train=_beside(data, out),
        test=_beside(test, out) if test else None,
        how={**how, "columns": renamed},
        parts=parts,
        amount=len(documents),
    )


def _columns(data: Path, names: tuple[str, ...], how: dict[str, Any]) -> Columns:
    """The columns that were named, and those that were told by what they hold."""
    from medsweep.corpus.columns import guessed_columns
    from medsweep.errors import DataError

    named = columns_of(names)
    if not data.exists():
        raise DataError("no such file or folder", where=str(data))
    found = guessed_columns(data, named, format=how["format"], encoding=how["encoding"])
    new = [f"{p}={n}" for p, n in asdict(found).items() if n != getattr(named, p)]
    if new:
        click.echo(
            f"columns told by what they hold: {', '.join(new)}; --column overrules", err=True
        )
    return found


def _parts(documents: Iterable[Document]) -> dict[str, str]:
    """The split of training, dev and test documents, where a corpus has training and test ones."""
    from medsweep.corpus.read import part_of

    splits = {part_of(d.split): d.split for d in documents if d.split is not None}
    if not {"train", "test"} <= splits.keys():
        return {}
    return {part: splits[part] for part in ("train", "dev", "test") if part in splits}


def _kind(documents: Sequence[Document], data: Path) -> TaskKind:
    """The task that the gold of the documents is for."""
    from medsweep.errors import DataError

    told: dict[TaskKind, bool] = {
        "classification": any(d.label is not None for d in documents),
        "multilabel": any(d.labels is not None for d in documents),
        "ner": any(d.spans is not None for d in documents),
    }
    kinds = [kind for kind, there in told.items() if there]
    if len(kinds) > 1:
        names = {"classification": "a label", "multilabel": "labels", "ner": "entities"}
        has = " and ".join(names[kind] for kind in kinds)
        raise DataError(f"has {has}", where=str(data), fix=_CHOOSE)
    if not kinds:
        raise DataError(
            "has neither labels nor entities",
            where=str(data),
            fix='add "label", "labels" or "entities", or name the column: --column label=NAME',
        )
    return kinds[0]


def _beside(path: Path, out: Path) -> str:
    """``path`` as the sweep file at ``out`` finds it, relative where it was given so."""
    if path.is_absolute():
        return str(path)
    return Path(os.path.relpath(path, out.parent)).as_posix()


def _write(out: Path, text: str) -> None:
    from medsweep.errors import InputError

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(
            "exists already", where=str(out), fix="name another file with --out"
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})", where=str(out), fix="name another file"
        ) from None
