"""Which figures a verdict has, with the words that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from medsweep.report import curve_figure, figures, words
from medsweep.report.blocks import Plot
from medsweep.report.mistakes import Confusion, confusion, rows_of
from medsweep.report.words import Decision


def forest(verdict: Mapping[str, Any]) -> Plot | None:
    """The forest plot, ``None`` without cells."""
    cells = verdict["cells"]
    if not cells:
        return None
    good = sum(words.decision(c) is not Decision.NOT_SHOWN for c in cells)
    alt = (
        f"Forest plot of {words.plural(len(cells), 'cell')}: difference to the reference and its "
        f"lower bound; {good} decided to match within {verdict['margin']:g}."
    )
    caption = (
        f"Points are differences, lines run down to the one-sided "
        f"{words.share_level(verdict['alpha'])} lower bound (in brackets). Colour and shape "
        "show the decision, which is adjusted for the number of cells."
    )
    return Plot("forest", figures.forest(verdict, alt), alt, caption)


def curves(verdict: Mapping[str, Any]) -> Plot | None:
    """Learning curves, ``None`` where no candidate trains."""
    found = curve_figure.drawn(verdict)
    if not found:
        return None
    alt = "Learning curves: " + "; ".join(
        f"{c['model']} from {c['scores'][0]:.3f} at {c['train_sizes'][0]} to "
        f"{c['scores'][-1]:.3f} at {c['train_sizes'][-1]} documents"
        for c in found
    )
    caption = "Small dots are draws."
    if any(c["band"] for c in found):
        caption += (
            f" The curve a − b·n^(−c) has a {words.share_level(verdict['alpha'])} bootstrap band "
            "and is not drawn beyond the sizes that were run."
        )
    return Plot("curves", curve_figure.curves(verdict, alt), alt, caption)


def sizes(verdict: Mapping[str, Any]) -> Plot | None:
    """Size against score, ``None`` where no model's size is known."""
    known = {c["model"]: c["params"] for c in verdict["cells"] if c["params"]}
    if not known:
        return None
    alt = f"Score against parameters for {words.listed(known)} at their largest training size."
    caption = (
        f"Each model at its largest training size with its {words.share_level(verdict['alpha'])} "
        "interval; the star is the reference."
    )
    return Plot("sizes", figures.sizes(verdict, alt), alt, caption)


def search(trials: pd.DataFrame | None, metric: str) -> Plot | None:
    """Learning rate against dev score, ``None`` without such trials."""
    needed = {"phase", "model", "learning_rate", "score"}
    if trials is None or not needed <= set(trials.columns):
        return None
    rows = trials[(trials["phase"] == "search")].dropna(subset=["learning_rate", "score"])
    if rows.empty:
        return None
    alt = (
        f"Scatter plot of {words.plural(len(rows), 'search trial')}: learning rate against best "
        "score on dev, by model."
    )
    return Plot(
        "search",
        figures.search(rows, metric, alt),
        alt,
        "One point a trial of the search, all training sizes; early-stopped trials included.",
    )


def focus(verdict: Mapping[str, Any]) -> dict[str, Any] | None:
    """The candidate whose mistakes are shown: the smallest match, else the highest score."""
    chosen = verdict["smallest"] or verdict["fewest_labels"]
    if chosen is None and verdict["cells"]:
        chosen = max(verdict["cells"], key=lambda c: c["score"])
    if chosen is None:
        return None
    return {
        "arm": words.candidate_arm(verdict),
        "model": chosen["model"],
        "train_size": chosen["train_size"],
    }


def confusion_of(
    verdict: Mapping[str, Any], predictions: pd.DataFrame, system: Mapping[str, Any]
) -> Confusion | None:
    """The confusion matrix of one system, ``None`` where classes are not alternatives."""
    if verdict["task"] != "classification":
        return None
    rows = rows_of(predictions, system)
    return confusion(rows) if len(rows) else None


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
                drawn[f"confusion-{name}"] = figures.confusion(found, f"confusion-{name}", alt)
    for name, svg in drawn.items():
        (folder / f"{name}.svg").write_text(svg + "\n")
    return [folder / f"{name}.svg" for name in drawn]
