"""Size of the model against its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from medsweep.report import words
from medsweep.report.blocks import Plot
from medsweep.report.figures._style import (
    BLACK,
    DECISION_STYLE,
    WIDTH,
    by_size,
    decision_legend,
    new_figure,
    params_axis,
    style,
)
from medsweep.report.figures._svg import to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    return Plot("sizes", _picture(verdict, alt), alt, caption)


def _picture(verdict: Mapping[str, Any], alt: str) -> str:
    """Score against parameters, at each model's largest training size."""
    known = [c for c in verdict["cells"] if c["params"]]
    largest = {c["model"]: c for c in sorted(known, key=lambda c: c["train_size"])}
    cells = sorted(largest.values(), key=by_size)
    reference = verdict["reference"]
    with style("sizes"):
        figure = new_figure(WIDTH, 3.4)
        axes = figure.add_subplot()
        level, ref_params = reference["score"], reference["params"]
        axes.axhline(level, color=BLACK, lw=1.1)
        axes.axhline(level - verdict["margin"], color=BLACK, lw=1.1, ls=(0, (4, 3)))
        for text, y in (("reference", level), ("reference − margin", level - verdict["margin"])):
            axes.annotate(
                text, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=9
            )
        for cell in cells:
            look = DECISION_STYLE[words.decision(cell)]
            axes.plot([cell["params"]] * 2, cell["ci"], color=look["color"], lw=1.4)
            axes.plot([cell["params"]], [cell["score"]], ls="", ms=7, mew=1.5, **look)
        if ref_params:
            axes.plot([ref_params] * 2, reference["ci"], color=BLACK, lw=1.4)
            axes.plot([ref_params], [level], marker="*", ms=11, color=BLACK, ls="")
        points = [float(c["params"]) for c in cells] + ([float(ref_params)] if ref_params else [])
        params_axis(axes, points)
        _name_points(axes, cells)
        axes.set_ylabel(words.metric_name(verdict["metric"]))
        decision_legend(axes, cells)
        return to_svg(figure, "sizes", alt)


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
