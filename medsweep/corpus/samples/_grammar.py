"""Filling phrasings: alternatives are drawn at random, and anything may hold a slot again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

_SLOT = re.compile(r"\{([A-Za-z_]+)\}")

Slots = Mapping[str, str | Sequence[str]]


def pick(rng: np.random.Generator, choices: Sequence[str]) -> str:
    """One of ``choices``, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def fill(rng: np.random.Generator, phrase: str, *slots: Slots) -> str:
    """``phrase`` with every ``{name}`` replaced from the first of ``slots`` that knows it.

    Raises:
        KeyError: no mapping knows the name.
    """

    def value(match: re.Match[str]) -> str:
        for mapping in slots:
            if match[1] in mapping:
                found = mapping[match[1]]
                chosen = found if isinstance(found, str) else pick(rng, found)
                return fill(rng, chosen, *slots)
        raise KeyError(match[1])

    return _SLOT.sub(value, phrase)


def sentence_case(text: str) -> str:
    """``text`` with its first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]


def allot(shares: Mapping[str, float], total: int, rng: np.random.Generator) -> list[str]:
    """``total`` labels in random order whose counts follow ``shares`` by largest remainder."""
    exact = {label: share * total for label, share in shares.items()}
    counts = {label: int(value) for label, value in exact.items()}
    by_remainder = sorted(exact, key=lambda label: counts[label] - exact[label])
    for label in by_remainder[: total - sum(counts.values())]:
        counts[label] += 1
    labels = [label for label, count in counts.items() for _ in range(count)]
    return [labels[i] for i in rng.permutation(len(labels))]
