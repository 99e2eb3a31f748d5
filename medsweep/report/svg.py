"""Matplotlib figures as SVG that can stand inside of a page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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


def to_svg(figure: Figure, name: str, alt: str) -> str:
    """The ``<svg>`` element alone, with ids that no other figure has, named for screen readers.

    Args:
        figure: drawn inside of :func:`style`.
        name: prefix of its ids.
        alt: what it shows.
    """
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # A style element inside of the page would apply to all of the page.
    text = re.sub(
        r'<style type="text/css">.*?</style>', "<!-- -->", text, count=1, flags=re.DOTALL
    ).replace("<defs>\n  <!-- -->\n </defs>", "")
    text = re.sub(r'(\sid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    head = f'<svg role="img" aria-label={quoteattr(alt)} stroke-linejoin="round"'
    text = text.replace("<svg", head, 1)
    return re.sub(r">", f">\n<title>{escape(alt)}</title>", text, count=1).strip()


def params_axis(axes: Axes, values: list[float]) -> None:
    """A logarithmic x axis of parameter counts, without powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    from medsweep.report import words

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
