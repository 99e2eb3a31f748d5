"""How the report's figures look: colours, axes, legends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from medsweep.report import words
from medsweep.report.words import Decision

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.2  # inches
# Okabe and Ito, Color Universal Design, 2008: told apart with any colour vision.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, BLACK, GREY = "#56B4E9", "#CC79A7", "#000000", "#767676"
CYCLE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)
MARKERS = "osD^vPX"

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.labelsize": 9.5,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": False,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.frameon": False,
    "legend.fontsize": 9,
    # Names of models and classes are text, whatever dollar signs they hold.
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
}
DECISION_STYLE: dict[Decision, dict[str, Any]] = {
    Decision.MATCHES: {"color": BLUE, "marker": "o", "markerfacecolor": BLUE},
    Decision.SET: {"color": BLUE, "marker": "D", "markerfacecolor": "white"},
    Decision.ADAPTER: {"color": GREEN, "marker": "D", "markerfacecolor": GREEN},
    Decision.NOT_SHOWN: {"color": VERMILLION, "marker": "s", "markerfacecolor": "white"},
}
DECISION_NAME = {
    Decision.MATCHES: "matches",
    Decision.SET: "matches with this labelled set",
    Decision.ADAPTER: "adapter matches (one draw)",
    Decision.NOT_SHOWN: "not shown to match",
}


@contextmanager
def style(name: str) -> Iterator[None]:
    """Draw in the report's style; ``name`` salts the ids, so that files are reproducible."""
    import matplotlib as mpl

    settings: Any = {**_STYLE, "svg.hashsalt": name}
    with mpl.rc_context(settings):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, outside of pyplot's global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def params_axis(axes: Axes, values: list[float]) -> None:
    """A logarithmic x axis of parameter counts, without powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    axes.set_xscale("log")
    low, high = min(values), max(values)
    axes.set_xlim(low / 1.6, high * 1.6)
    wide = high / low > 20
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if wide else (1.0, 1.5, 2.0, 3.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: words.params(round(v))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("parameters")


def sizes_axis(axes: Axes, sizes: list[int]) -> None:
    """A logarithmic x axis with a tick at every training size that fits."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    axes.set_xlim(sizes[0] / 1.18, sizes[-1] * 1.18)
    shown: list[int] = []
    for size in reversed(sizes):
        span = max(sizes[-1] / sizes[0], 1.01)
        if not shown or shown[-1] / size > span**0.1:
            shown.append(size)
    axes.xaxis.set_major_locator(FixedLocator(shown[::-1]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def decision_legend(axes: Axes, cells: Sequence[Mapping[str, Any]]) -> None:
    present = {words.decision(c) for c in cells}
    for kind in Decision:
        if kind in present:
            axes.plot(
                [], [], ls="", ms=6.5, mew=1.5, label=DECISION_NAME[kind], **DECISION_STYLE[kind]
            )
    axes.figure.legend(loc="outside lower center", ncols=2)


def by_size(cell: Mapping[str, Any]) -> tuple[float, str, int]:
    return (cell["params"] or float("inf"), cell["model"], cell["train_size"])
