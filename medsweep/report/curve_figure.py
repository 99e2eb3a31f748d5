"""The figure of learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medsweep.report import svg, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 7.2


def drawn(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The curves of models that were trained at several sizes; of all where none was."""
    curves = verdict["curves"]
    return [c for c in curves if len(c["train_sizes"]) > 1] or list(curves)


def curves(verdict: Mapping[str, Any], alt: str) -> str:
    """Score against training size, a panel a model, with draws, bands and the other arms."""
    found = drawn(verdict)
    reference, margin = verdict["reference"]["score"], verdict["margin"]
    columns = min(2, len(found))
    rows = -(-len(found) // columns)
    with svg.style("curves"):
        figure = svg.new_figure(WIDTH, 2.7 * rows + 0.75)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes, curve in zip(grid.flat, found, strict=False):
            axes.axhline(reference, color=svg.BLACK, lw=1.1, label="reference")
            axes.axhline(
                reference - margin,
                color=svg.BLACK,
                lw=1.1,
                ls=(0, (4, 3)),
                label="reference − margin",
            )
            _curve(axes, curve)
            _other_arms(axes, verdict["arms"], curve)
            axes.set_title(curve["model"])
            svg.sizes_axis(axes, curve["train_sizes"])
            axes.set_xlabel("training documents")
        for axes in grid[:, 0]:
            axes.set_ylabel(words.metric_name(verdict["metric"]))
        for axes in grid.flat[len(found) :]:
            axes.set_visible(False)
        entries = {
            label: handle
            for axes in grid.flat
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=4)
        return svg.to_svg(figure, "curves", alt)


def _curve(axes: Axes, curve: Mapping[str, Any]) -> None:
    x = curve["train_sizes"]
    if band := curve["band"]:
        at = [p["train_size"] for p in band]
        low, high = [p["low"] for p in band], [p["high"] for p in band]
        axes.fill_between(
            at, low, high, color=svg.BLUE, alpha=0.18, lw=0, label="band of the curve"
        )
        axes.plot(at, [p["score"] for p in band], color=svg.BLUE, lw=1.8, label="fitted curve")
    else:
        axes.plot(x, curve["scores"], color=svg.BLUE, lw=1.2)
    dots = [(n, s) for n, scores in zip(x, curve["draw_scores"], strict=True) for s in scores]
    axes.plot(
        *zip(*dots, strict=True), ls="", marker=".", ms=5, color=svg.BLUE, alpha=0.6, label="draw"
    )
    axes.plot(
        x, curve["scores"], ls="", marker="o", ms=5.5, color=svg.BLUE, label="mean over draws"
    )


def _other_arms(axes: Axes, arms: Sequence[Mapping[str, Any]], curve: Mapping[str, Any]) -> None:
    first, last = curve["train_sizes"][0], curve["train_sizes"][-1]
    looks = zip(
        (a for a in words.ARM_NAMES if a != "finetuned"),
        (
            svg.GREY,
            svg.PURPLE,
            svg.ORANGE,
            svg.GREEN,
            svg.VERMILLION,
            svg.SKY,
            svg.PURPLE,
            svg.GREY,
        ),
        (":", (0, (1, 1)), "-", "-", "--", "--", "-.", "-."),
        ("", "", "^", "D", "", "", "", ""),
        strict=True,
    )
    for arm, color, line, marker in looks:
        rows = [a for a in arms if a["arm"] == arm and a["model"] in (None, curve["model"])]
        flat = [a for a in rows if not a["train_size"]]
        sized = sorted((a["train_size"], a["score"]) for a in rows if a["train_size"])
        sized = [(n, s) for n, s in sized if first <= n <= last]
        look: dict[str, Any] = {"color": color, "ls": line, "lw": 1.2, "label": words.arm_name(arm)}
        for a in flat[:1]:
            axes.axhline(a["score"], **look)
        if sized:
            axes.plot(*zip(*sized, strict=True), marker=marker, ms=3.5, **look)
