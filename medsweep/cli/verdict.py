"""The verdict on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

LEFT = ("arm", "model", "result")


def show(
    verdict: Mapping[str, Any], folder: Path | None = None, *, console: Console | None = None
) -> None:
    """Print a verdict: what was shown, a row a cell and arm, its sentence, where the rest is.

    Args:
        verdict: the content of ``verdict.json``.
        folder: that holds the report.
        console: to print on; it decides the width, 80 columns where there is no terminal.
    """
    from medsweep.cli.shown import verdict_lines as lines
    from medsweep.report import headline, sentences, words

    console = console or Console()
    for line in lines(verdict):
        console.print(line, highlight=False, markup=False)
    console.print()
    reference = verdict["reference"]
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for column in ("arm", "model", "n", verdict["metric"], "diff", "lower", "result"):
        left = column in LEFT
        table.add_column(
            column,
            justify="left" if left else "right",
            no_wrap=column not in ("model", "result"),
            overflow="fold",
        )
    arm = words.candidate_arm(verdict)
    shown = {_system(reference)}
    _row(table, reference["arm"], reference, None, None, "reference")
    for cell in verdict["cells"]:
        shown.add(_system({**cell, "arm": arm}))
        diff, lower, _ = words.bounded(cell)
        kind = words.decision(cell)
        _row(table, arm, cell, diff, lower, "" if kind is words.Decision.NOT_SHOWN else kind.value)
    for other in verdict["arms"]:
        if _system(other) not in shown:
            result = words.arm_result(other, verdict).replace("not shown", "")
            _row(table, other["arm"], other, other.get("diff"), other.get("diff_lower"), result)
    console.print(table, highlight=False, markup=False)
    console.print(headline(verdict), highlight=False, markup=False)
    judged = sentences.judged(verdict)
    for note in [*verdict.get("notes", []), *([judged] if judged else [])]:
        console.print(f"note: {note}", highlight=False, markup=False)
    if folder is not None:
        console.print(f"report: {folder / 'report.html'}", highlight=False, soft_wrap=True)


def _system(row: Mapping[str, Any]) -> tuple[str, str, int]:
    return row["arm"], row.get("model") or "", row.get("train_size") or 0


def _row(
    table: Table,
    arm: str,
    row: Mapping[str, Any],
    diff: float | None,
    lower: float | None,
    result: str,
) -> None:
    # As Text: a model's name in square brackets is not markup.
    from rich.text import Text

    values = (
        arm,
        row.get("model") or "",
        str(row.get("train_size") or ""),
        f"{row['score']:.3f}",
        "" if diff is None else f"{diff:+.3f}",
        "" if lower is None else f"{lower:+.3f}",
        result,
    )
    table.add_row(*(Text(value) for value in values))
