"""Matplotlib figures as SVG that can stand inside of a page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
LINK = f"{{{XLINK}}}href"


def to_svg(figure: Figure, name: str, alt: str) -> str:
    """The ``<svg>`` element alone, with ids that no other figure has, named for screen readers.

    Args:
        figure: drawn in the report's style.
        name: prefix of its ids.
        alt: what it shows.
    """
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    # Written a line ago, by matplotlib: nothing in it is from outside.
    root = ET.fromstring(out.getvalue())
    _drop(root, "metadata")
    # A style element inside of the page would apply to all of the page.
    _drop(root, "style")
    for element in root.iter():
        _prefix(element, name)
    root.attrib |= {"role": "img", "aria-label": alt, "stroke-linejoin": "round"}
    title = ET.Element(f"{{{SVG}}}title")
    title.text = alt
    root.insert(0, title)
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    return ET.tostring(root, encoding="unicode")


def _drop(root: ET.Element, tag: str) -> None:
    for parent in root.iter():
        for child in parent.findall(f"{{{SVG}}}{tag}"):
            parent.remove(child)


def _prefix(element: ET.Element, name: str) -> None:
    """Give an element's id, and the ids that it refers to, the figure's name."""
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif key == LINK and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        elif "url(#" in value:
            element.set(key, value.replace("url(#", f"url(#{name}-"))
