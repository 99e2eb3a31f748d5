"""Values as every source of documents and every model's answer writes them alike."""

from __future__ import annotations


def as_value(value: object) -> str | None:
    """An attribute's value as words with single spaces; None where there is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)) or value is None:
        return None
    return " ".join(str(value).split()) or None
