"""The verdict on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def show(verdict: Mapping[str, Any], folder: Path | None = None) -> None:
    """Print a verdict: one row a cell, then its sentence, then where the rest is."""
    from medsweep.report import headline

    console = Console()
    reference = verdict["reference"]
    table = Table(box=None, pad_edge=False)
    for column in ("arm", "model", "labels", verdict["metric"], "difference", "lower bound", ""):
        table.add_column(column, justify="left" if column in ("arm", "model", "") else "right")
    table.add_row(
        reference["arm"],
        reference["model"] or "",
        str(reference.get("train_size") or ""),
        f"{reference['score']:.3f}",
        "",
        "",
        "reference",
    )
    for cell in verdict["cells"]:
        bound = cell["diff_lower"]
        table.add_row(
            "finetuned",
            cell["model"],
            str(cell["train_size"]),
            f"{cell['score']:.3f}",
            f"{cell['diff']:+.3f}",
            "" if bound is None else f"{bound:+.3f}",
            "matches" if cell["non_inferior"] else "",
        )
    for arm in verdict["arms"]:
        table.add_row(
            arm["arm"],
            arm.get("model") or "",
            str(arm.get("train_size") or ""),
            f"{arm['score']:.3f}",
            f"{arm['diff']:+.3f}" if arm.get("diff") is not None else "",
            f"{arm['diff_lower']:+.3f}" if arm.get("diff_lower") is not None else "",
            "",
        )
    console.print(table)
    console.print(headline(verdict), highlight=False)
    if folder is not None:
        console.print(f"report: {folder / 'report.html'}", highlight=False)
