"""Offsets that count UTF-16 units, as Java and JavaScript do."""

from __future__ import annotations

from bisect import bisect_right


class Utf16:
    """Maps offsets in UTF-16 units into code points of ``text``."""

    def __init__(self, text: str) -> None:
        # A character beyond U+FFFF takes two units; most texts have none.
        wide = (
            [i for i, c in enumerate(text) if c > "\uffff"]
            if max(text, default="") > "\uffff"
            else []
        )
        self._ends = [i + n for n, i in enumerate(wide, 2)]
        self.length = len(text) + len(wide)

    def code_point(self, offset: int) -> int | None:
        """The same place in code points; None outside the text or within a character."""
        if not 0 <= offset <= self.length:
            return None
        if not self._ends:
            return offset
        before = bisect_right(self._ends, offset)
        # The next wide character's second half begins one unit before its end.
        inside = before < len(self._ends) and self._ends[before] - 1 == offset
        return None if inside else offset - before


def utf16_length(text: str) -> int:
    """How many UTF-16 units a text takes."""
    return len(text) + sum(c > "\uffff" for c in text)
