"""What lies beside a corpus and is no part of it."""

from __future__ import annotations

import re

_BESIDE = re.compile(
    r"(?:readme|licen[cs]e|copying|changelog|citation|notice|source|makefile)\b.*"
    r"|.*\.(?:md|conf|ser|log|rst|ini)|exportedproject\.json|.*\.report\.json|typesystem\.xml",
    re.IGNORECASE,
)


def is_beside(name: str) -> bool:
    """Whether a file of that name tells about a corpus, as a licence or a type system does."""
    return name.startswith(".") or _BESIDE.fullmatch(name) is not None
