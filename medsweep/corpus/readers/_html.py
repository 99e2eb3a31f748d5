"""The text of a page, and where its characters lie."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_PAGE = re.compile(r"\s*<(?:!doctype|[a-z][a-z0-9]*)\b[^>]*>", re.IGNORECASE)
_BLOCKS = re.compile(
    "address|article|aside|blockquote|d[dlt]|div|fieldset|footer|form|h[1-6r]|header|li|main|nav|"
    "[ou]l|p|pre|section|table|t[dhr]"
)
_UNSEEN = frozenset(("script", "style", "head", "title", "template"))


class Page(HTMLParser):
    """What a browser shows of HTML: text nodes, with a line's end around blocks.

    Attributes:
        text: so far.
        places: for each character of the text nodes, by which tools count, its place in ``text``.
    """

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.places = "", list[int]()
        self._hidden = 0
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        """A block begins a line; a line break is a character."""
        if tag in _UNSEEN:
            self._hidden += 1
        elif tag == "br":
            self.handle_data("\n")
        elif _BLOCKS.fullmatch(tag):
            self._new_line()

    def handle_endtag(self, tag: str) -> None:
        """A block ends its line."""
        if tag in _UNSEEN:
            self._hidden = max(0, self._hidden - 1)
        elif _BLOCKS.fullmatch(tag):
            self._new_line()

    def handle_data(self, data: str) -> None:
        """A text node."""
        if not self._hidden:
            self.places.extend(range(len(self.text), len(self.text) + len(data)))
            self.text += data

    def _new_line(self) -> None:
        if self.text and not self.text.endswith("\n"):
            self.text += "\n"

    def place(self, start: int, end: int) -> tuple[int, int]:
        """A place among the text nodes as a place in ``text``; itself where it lies outside."""
        if 0 <= start < end <= len(self.places):
            return self.places[start], self.places[end - 1] + 1
        return start, end


def is_page(text: str) -> bool:
    """Whether a text is HTML: it begins with a tag and has one that ends."""
    return _PAGE.match(text) is not None and "</" in text
