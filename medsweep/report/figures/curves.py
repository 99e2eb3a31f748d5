"""The figure of learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medsweep.report import words
from medsweep.report.blocks import Plot
from medsweep.report.figures._style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    WIDTH,
    new_figure,
    sizes_axis,
    style,
)
from medsweep.report.figures._svg import to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def curves(verdict: Mapping[str, Any]) -> Plot | None:
    """Learning curves, ``None`` where no candidate trains."""
    found = drawn(verdict)
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
    return Plot("curves", _picture(verdict, alt), alt, caption)


def drawn(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The curves of models that were trained at several sizes; of all where none was."""
    curves = verdict["curves"]
    return [c for c in curves if len(c["train_sizes"]) > 1] or list(curves)


def _picture(verdict: Mapping[str, Any], alt: str) -> str:
    """Score against training size, a panel a model, with draws, bands and the other arms."""
    found = drawn(verdict)
    reference, margin = verdict["reference"]["score"], verdict["margin"]
    columns = min(2, len(found))
    rows = -(-len(found) // columns)
    with style("curves"):
        figure = new_figure(WIDTH, 2.7 * rows + 0.75)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes, curve in zip(grid.flat, found, strict=False):
            axes.axhline(reference, color=BLACK, lw=1.1, label="reference")
            axes.axhline(
                reference - margin,
                color=BLACK,
                lw=1.1,
                ls=(0, (4, 3)),
                label="reference − margin",
            )
            _curve(axes, curve)
            _other_arms(axes, verdict["arms"], curve)
            axes.set_title(curve["model"])
            sizes_axis(axes, curve["train_sizes"])
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
        return to_svg(figure, "curves", alt)


def _curve(axes: Axes, curve: Mapping[str, Any]) -> None:
    x = curve["train_sizes"]
    if band := curve["band"]:
        at = [p["train_size"] for p in band]
        low, high = [p["low"] for p in band], [p["high"] for p in band]
        axes.fill_between(at, low, high, color=BLUE, alpha=0.18, lw=0, label="band of the curve")
        axes.plot(at, [p["score"] for p in band], color=BLUE, lw=1.8, label="fitted curve")
    else:
        axes.plot(x, curve["scores"], color=BLUE, lw=1.2)
    dots = [(n, s) for n, scores in zip(x, curve["draw_scores"], strict=True) for s in scores]
    axes.plot(
        *zip(*dots, strict=True), ls="", marker=".", ms=5, color=BLUE, alpha=0.6, label="draw"
    )
    axes.plot(x, curve["scores"], ls="", marker="o", ms=5.5, color=BLUE, label="mean over draws")


def _other_arms(axes: Axes, arms: Sequence[Mapping[str, Any]], curve: Mapping[str, Any]) -> None:
    first, last = curve["train_sizes"][0], curve["train_sizes"][-1]
    looks = zip(
        (a for a in words.ARM_NAMES if a != "finetuned"),
        (
            GREY,
            PURPLE,
            BLACK,
            ORANGE,
            GREEN,
            VERMILLION,
            SKY,
            PURPLE,
            GREY,
        ),
        (":", (0, (1, 1)), "-.", "-", "-", "--", "--", "-.", "-."),
        ("", "", "v", "^", "D", "", "", "", ""),
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
