"""Figures of cells, trials and mistakes, each a function from results to an SVG element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from medsweep.report import svg, words
from medsweep.report.mistakes import Confusion
from medsweep.report.words import Decision

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS: dict[Decision, dict[str, Any]] = {
    Decision.MATCHES: {"color": svg.BLUE, "marker": "o", "markerfacecolor": svg.BLUE},
    Decision.ADAPTER: {"color": svg.GREEN, "marker": "D", "markerfacecolor": svg.GREEN},
    Decision.NOT_SHOWN: {"color": svg.VERMILLION, "marker": "s", "markerfacecolor": "white"},
}
MEANINGS = {
    Decision.MATCHES: "matches: so many labels are enough",
    Decision.ADAPTER: "adapter matches (one draw)",
    Decision.NOT_SHOWN: "not shown to match",
}
WIDTH = 7.2


def forest(verdict: Mapping[str, Any], alt: str) -> str:
    """Difference to the reference of every cell, with its lower bound, against the margin."""
    cells = sorted(verdict["cells"], key=_by_size)
    margin = verdict["margin"]
    with svg.style("forest"):
        figure = svg.new_figure(WIDTH, 1.5 + 0.29 * len(cells))
        axes = figure.add_subplot()
        axes.axvline(0, color=svg.GREY, lw=0.9)
        axes.axvline(-margin, color=svg.BLACK, lw=1.2, ls=(0, (4, 3)))
        for row, cell in enumerate(cells):
            diff, lower, _ = words.bounded(cell)
            look = LOOKS[words.decision(cell)]
            axes.plot([lower, diff], [row, row], color=look["color"], lw=1.6)
            axes.plot([lower], [row], marker="|", ms=8, mew=1.6, color=look["color"])
            axes.plot([diff], [row], ls="", ms=6.5, mew=1.5, **look)
            axes.annotate(
                f"{words.signed(diff)}  ({words.signed(lower)})".replace("-", "−"),
                (1.01, row),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=9,
            )
            if row and cell["model"] != cells[row - 1]["model"]:
                axes.axhline(row - 0.5, color="#dddddd", lw=0.8, zorder=0)
        axes.set_yticks(range(len(cells)), [_cell_name(c) for c in cells])
        axes.set_ylim(len(cells) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        lowest = min(words.bounded(c)[1] for c in cells)
        highest = max(words.bounded(c)[0] for c in cells)
        axes.set_xlim(
            min(lowest, -1.3 * margin) - margin / 4, max(highest, margin / 2) + margin / 4
        )
        axes.set_xlabel(
            f"difference in {words.metric_name(verdict['metric'])}, candidate − reference"
        )
        top: dict[str, Any] = {
            "xycoords": ("data", "axes fraction"),
            "va": "bottom",
            "fontsize": 9,
        }
        axes.annotate(f"margin −{margin:g} ", (-margin, 1.0), ha="right", **top)
        axes.annotate(" 0", (0, 1.0), ha="center", **top)
        _decision_legend(axes, cells)
        return svg.to_svg(figure, "forest", alt)


def sizes(verdict: Mapping[str, Any], alt: str) -> str:
    """Score against parameters, at each model's largest training size."""
    known = [c for c in verdict["cells"] if c["params"]]
    largest = {c["model"]: c for c in sorted(known, key=lambda c: c["train_size"])}
    cells = sorted(largest.values(), key=_by_size)
    reference = verdict["reference"]
    with svg.style("sizes"):
        figure = svg.new_figure(WIDTH, 3.4)
        axes = figure.add_subplot()
        level, ref_params = reference["score"], reference["params"]
        axes.axhline(level, color=svg.BLACK, lw=1.1)
        axes.axhline(level - verdict["margin"], color=svg.BLACK, lw=1.1, ls=(0, (4, 3)))
        for text, y in (("reference", level), ("reference − margin", level - verdict["margin"])):
            axes.annotate(
                text, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=9
            )
        for cell in cells:
            look = LOOKS[words.decision(cell)]
            axes.plot([cell["params"]] * 2, cell["ci"], color=look["color"], lw=1.4)
            axes.plot([cell["params"]], [cell["score"]], ls="", ms=7, mew=1.5, **look)
        if ref_params:
            axes.plot([ref_params] * 2, reference["ci"], color=svg.BLACK, lw=1.4)
            axes.plot([ref_params], [level], marker="*", ms=11, color=svg.BLACK, ls="")
        points = [float(c["params"]) for c in cells] + ([float(ref_params)] if ref_params else [])
        svg.params_axis(axes, points)
        _name_points(axes, cells)
        axes.set_ylabel(words.metric_name(verdict["metric"]))
        _decision_legend(axes, cells)
        return svg.to_svg(figure, "sizes", alt)


def search(trials: pd.DataFrame, metric: str, alt: str) -> str:
    """Best dev score of every trial of the search against its learning rate."""
    with svg.style("search"):
        figure = svg.new_figure(WIDTH, 3.6)
        axes = figure.add_subplot()
        for i, (model, part) in enumerate(trials.groupby("model", sort=True)):
            axes.plot(
                part["learning_rate"],
                part["score"],
                ls="",
                ms=5.5,
                alpha=0.75,
                mew=0,
                marker=svg.MARKERS[i % len(svg.MARKERS)],
                color=svg.CYCLE[i % len(svg.CYCLE)],
                label=str(model),
            )
        axes.set_xscale("log")
        _plain_rates(axes)
        axes.set_xlabel("learning rate")
        axes.set_ylabel(f"best {words.metric_name(metric)} on dev")
        figure.legend(loc="outside lower center", ncols=2)
        return svg.to_svg(figure, "search", alt)


def confusion(found: Confusion, name: str, alt: str) -> str:
    """A confusion matrix; shades are shares of a gold label's documents."""
    rows, columns = found.counts.shape
    with svg.style(name):
        figure = svg.new_figure(2.2 + 0.62 * columns, 1.6 + 0.42 * rows)
        axes = figure.add_subplot()
        share = found.counts / np.maximum(found.counts.sum(axis=1, keepdims=True), 1e-12)
        axes.pcolormesh(share, cmap="Blues", vmin=0, vmax=1.3, edgecolors="white", linewidth=1)
        for r in range(rows):
            for c in range(columns):
                axes.text(
                    c + 0.5, r + 0.5, words.count(found.counts[r, c]), ha="center", va="center"
                )
        axes.set_xticks(np.arange(columns) + 0.5, found.pred, rotation=35, ha="right")
        axes.set_yticks(np.arange(rows) + 0.5, found.gold)
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.set_xlabel("predicted")
        axes.set_ylabel("gold")
        return svg.to_svg(figure, name, alt)


def _decision_legend(axes: Axes, cells: Sequence[Mapping[str, Any]]) -> None:
    present = {words.decision(c) for c in cells}
    for kind in Decision:
        if kind in present:
            axes.plot([], [], ls="", ms=6.5, mew=1.5, label=MEANINGS[kind], **LOOKS[kind])
    axes.figure.legend(loc="outside lower center", ncols=2)


def _name_points(axes: Axes, cells: Sequence[Mapping[str, Any]]) -> None:
    low, high = axes.get_xlim()
    for i, cell in enumerate(cells):
        place = np.log(cell["params"] / low) / np.log(high / low)
        taken = cell.get("inference")
        cost = (
            f"\n{words.weights(taken['weights_bytes'])}, "
            f"{words.latency(taken['seconds_per_document'])} a document"
            if taken
            else ""
        )
        axes.annotate(
            f"{cell['model']} (n={cell['train_size']}){cost}",
            (cell["params"], (cell["ci"][0], cell["ci"][1])[i % 2]),
            xytext=(0, (-4, 4)[i % 2]),
            textcoords="offset points",
            ha="left" if place < 0.3 else "right" if place > 0.7 else "center",
            va=("top", "bottom")[i % 2],
            fontsize=8.5,
        )
    axes.margins(y=0.14)


def _plain_rates(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.0e}".replace("e-0", "e-")))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _cell_name(cell: Mapping[str, Any]) -> str:
    return f"{cell['model']}  n={cell['train_size']}"


def _by_size(cell: Mapping[str, Any]) -> tuple[float, str, int]:
    return (cell["params"] or float("inf"), cell["model"], cell["train_size"])
