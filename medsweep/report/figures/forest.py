"""The forest plot: each cell's difference to the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medsweep.report import words
from medsweep.report.blocks import Plot
from medsweep.report.figures._style import (
    BLACK,
    DECISION_STYLE,
    GREY,
    WIDTH,
    by_size,
    decision_legend,
    new_figure,
    style,
)
from medsweep.report.figures._svg import to_svg
from medsweep.report.words import Decision

if TYPE_CHECKING:
    pass


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
    return Plot("forest", _picture(verdict, alt), alt, caption)


def _picture(verdict: Mapping[str, Any], alt: str) -> str:
    """Difference to the reference of every cell, with its lower bound, against the margin."""
    cells = sorted(verdict["cells"], key=by_size)
    margin = verdict["margin"]
    with style("forest"):
        figure = new_figure(WIDTH, 1.5 + 0.29 * len(cells))
        axes = figure.add_subplot()
        axes.axvline(0, color=GREY, lw=0.9)
        axes.axvline(-margin, color=BLACK, lw=1.2, ls=(0, (4, 3)))
        for row, cell in enumerate(cells):
            diff, lower, _ = words.bounded(cell)
            look = DECISION_STYLE[words.decision(cell)]
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
        decision_legend(axes, cells)
        return to_svg(figure, "forest", alt)


def _cell_name(cell: Mapping[str, Any]) -> str:
    return f"{cell['model']}  n={cell['train_size']}"
