"""The figures of a report, one a file: its picture, its description, its caption."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from medsweep.report.figures.confusion import confusion_figure
from medsweep.report.figures.curves import curves
from medsweep.report.figures.forest import forest
from medsweep.report.figures.search import search
from medsweep.report.figures.sizes import sizes
from medsweep.report.mistakes import confusion_of, focus

__all__ = ["curves", "forest", "search", "sizes", "write_figures"]


def write_figures(
    verdict: Mapping[str, Any],
    folder: Path,
    *,
    predictions: pd.DataFrame | None = None,
    trials: pd.DataFrame | None = None,
) -> list[Path]:
    """Write every figure that the results allow as ``folder/NAME.svg``.

    Args:
        verdict: the content of ``verdict.json``.
        folder: made if it is missing.
        predictions: for confusion matrices.
        trials: for the search.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plots = [forest(verdict), curves(verdict), sizes(verdict), search(trials, verdict["metric"])]
    drawn = {p.name: p.svg for p in plots if p is not None}
    if predictions is not None:
        for name, system in (("candidate", focus(verdict)), ("reference", verdict["reference"])):
            found = confusion_of(verdict, predictions, system) if system else None
            if found is not None:
                alt = f"Confusion matrix of the {name}."
                drawn[f"confusion-{name}"] = confusion_figure(found, f"confusion-{name}", alt)
    for name, svg in drawn.items():
        (folder / f"{name}.svg").write_text(svg + "\n")
    return [folder / f"{name}.svg" for name in drawn]
