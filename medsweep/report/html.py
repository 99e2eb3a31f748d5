"""The report as one HTML file that needs no network and no script."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from medsweep.report import words
from medsweep.report.content import sections
from medsweep.report.templating import environment


def write_report(
    verdict: Mapping[str, Any],
    predictions: pd.DataFrame | None,
    path: Path,
    *,
    trials: pd.DataFrame | None = None,
    sweep: Mapping[str, Any] | None = None,
) -> None:
    """Write the report of a verdict, whole or not at all.

    Args:
        verdict: the content of ``verdict.json``.
        predictions: rows of ``predictions.parquet``, for tables of mistakes; only counts over
            all documents are shown.
        path: file to write.
        trials: rows of ``trials.parquet``.
        sweep: the resolved sweep file.
    """
    from markupsafe import Markup

    templates = environment()
    # Figures are elements that this package drew, with every text in them escaped.
    templates.filters["inline"] = Markup
    templates.filters["minus"] = _minus
    page = templates.get_template("report.html.j2").render(
        title=verdict["name"] or "medsweep verdict",
        metric=words.metric_name(verdict["metric"]),
        verdict=verdict,
        matched=verdict["smallest"] is not None or verdict["fewest_labels"] is not None,
        sections=sections(verdict, predictions, trials, sweep),
    )
    part = path.with_name(path.name + ".part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)


def _minus(text: str) -> str:
    """A typographic minus in front of a number."""
    return "−" + text[1:] if len(text) > 1 and text[0] == "-" and text[1].isdigit() else text
