"""Confusion matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medsweep.report import words
from medsweep.report.figures._style import new_figure, style
from medsweep.report.figures._svg import to_svg
from medsweep.report.mistakes import Confusion

if TYPE_CHECKING:
    pass


def confusion_figure(matrix: Confusion, name: str, alt: str) -> str:
    """A confusion matrix; shades are shares of a gold label's documents."""
    rows, columns = matrix.counts.shape
    with style(name):
        figure = new_figure(2.2 + 0.62 * columns, 1.6 + 0.42 * rows)
        axes = figure.add_subplot()
        share = matrix.counts / np.maximum(matrix.counts.sum(axis=1, keepdims=True), 1e-12)
        axes.pcolormesh(share, cmap="Blues", vmin=0, vmax=1.3, edgecolors="white", linewidth=1)
        for r in range(rows):
            for c in range(columns):
                axes.text(
                    c + 0.5, r + 0.5, words.count(matrix.counts[r, c]), ha="center", va="center"
                )
        axes.set_xticks(np.arange(columns) + 0.5, matrix.pred, rotation=35, ha="right")
        axes.set_yticks(np.arange(rows) + 0.5, matrix.gold)
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.set_xlabel("predicted")
        axes.set_ylabel("gold")
        return to_svg(figure, name, alt)
