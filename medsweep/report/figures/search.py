"""Learning rate against dev score, of every trial of the search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from medsweep.report import words
from medsweep.report.blocks import Plot
from medsweep.report.figures._style import CYCLE, MARKERS, WIDTH, new_figure, style
from medsweep.report.figures._svg import to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
        _picture(rows, metric, alt),
        alt,
        "One point a trial of the search, all training sizes; early-stopped trials included.",
    )


def _picture(trials: pd.DataFrame, metric: str, alt: str) -> str:
    """Best dev score of every trial of the search against its learning rate."""
    with style("search"):
        figure = new_figure(WIDTH, 3.6)
        axes = figure.add_subplot()
        for i, (model, part) in enumerate(trials.groupby("model", sort=True)):
            axes.plot(
                part["learning_rate"],
                part["score"],
                ls="",
                ms=5.5,
                alpha=0.75,
                mew=0,
                marker=MARKERS[i % len(MARKERS)],
                color=CYCLE[i % len(CYCLE)],
                label=str(model),
            )
        axes.set_xscale("log")
        _plain_rates(axes)
        axes.set_xlabel("learning rate")
        axes.set_ylabel(f"best {words.metric_name(metric)} on dev")
        figure.legend(loc="outside lower center", ncols=2)
        return to_svg(figure, "search", alt)


def _plain_rates(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.0e}".replace("e-0", "e-")))
    axes.xaxis.set_minor_formatter(NullFormatter())
