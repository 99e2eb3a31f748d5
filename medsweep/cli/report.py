"""`medsweep report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medsweep.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd


@click.command(
    epilog="""\b
Examples:
  medsweep report runs/smoking-status
  medsweep report runs/smoking-status --format md --figures figures > REPORT.md
  medsweep report runs/smoking-status --format json | jq .smallest
"""
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["html", "md", "json"]),
    default="html",
    help="html: a file that opens offline; md: Markdown; json: the verdict.  [html]",
)
@click.option(
    "--figures", type=click.Path(path_type=Path), help="Folder for the figures as SVG files."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File to write [DIR/report.html; md and json: standard output].",
)
def command(folder: Path, kind: str, figures: Path | None, out: Path | None) -> None:
    """Write the report of finished results again.

    Reads verdict.json, and predictions.parquet, trials.parquet and sweep.yaml where they are
    there.
    """
    import json

    from medsweep.report import to_markdown, write_figures, write_report

    verdict = read_verdict(folder / "verdict.json")
    predictions = _table(folder / "predictions.parquet")
    trials = _table(folder / "trials.parquet")
    sweep = _sweep(folder / "sweep.yaml")
    if figures is not None:
        drawn = write_figures(verdict, figures, predictions=predictions, trials=trials)
        click.echo(f"{figures}: {len(drawn)} figures", err=True)
    if kind == "html":
        target = out or folder / "report.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_report(verdict, predictions, target, trials=trials, sweep=sweep)
        click.echo(f"report: {target}")
        return
    text = (
        json.dumps(verdict, indent=2)
        if kind == "json"
        else to_markdown(verdict, predictions, trials=trials, sweep=sweep, figures=figures)
    )
    if out is None:
        click.echo(text)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")
        click.echo(f"report: {out}")


def read_verdict(path: Path) -> dict[str, Any]:
    """The content of a verdict file.

    Raises:
        ConfigError: there is none, or it is something else.
    """
    import json

    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            "there is no verdict",
            where=str(path),
            fix="finish the sweep with `medsweep run` or `medsweep resume` first",
        ) from None
    except (OSError, ValueError):
        raise ConfigError("cannot be read as JSON", where=str(path)) from None
    needed = {"metric", "margin", "alpha", "task", "reference", "cells", "arms", "power", "curves"}
    if not isinstance(verdict, dict) or not needed <= set(verdict):
        raise ConfigError("is no verdict of medsweep", where=str(path))
    return verdict


def _table(path: Path) -> pd.DataFrame | None:
    import pandas as pd

    if not path.exists():
        return None
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError):
        raise DataError("cannot be read as Parquet", where=str(path)) from None


def _sweep(path: Path) -> dict[str, Any] | None:
    import yaml

    if not path.exists():
        return None
    try:
        sweep = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        raise ConfigError("cannot be read as YAML", where=str(path)) from None
    return sweep if isinstance(sweep, dict) else None
