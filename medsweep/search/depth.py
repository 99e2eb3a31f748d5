"""How many of the upper layers the next trial of a cell adapts.

The depth decides what a trial costs, and often little else. It is therefore not sampled but
climbed: the first value of ``top_layers`` is searched until a trial has ended, then the next value
is tried with the best recipe so far, and kept only if it is better by more than the standard error
of a score on dev (the one-standard-error rule of Breiman, Friedman, Olshen and Stone,
Classification and Regression Trees, 1984, section 3.4.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Observation:
    """What an ended trial has shown; a failed one scores 0."""

    params: dict[str, Any]
    score: float


def climb(
    depths: Sequence[int | str], ended: Sequence[Observation], dev: int
) -> tuple[int | str, dict[str, Any] | None]:
    """The depth of the next trial.

    Args:
        depths: the values of ``top_layers``, the cheapest first.
        ended: trials of the cell.
        dev: documents that their scores are of.

    Returns:
        the value, and the recipe to try it with where it is new; None leaves the recipe open.
    """
    best: dict[int | str, Observation] = {}
    for trial in ended:
        depth = trial.params["top_layers"]
        if depth not in best or trial.score > best[depth].score:
            best[depth] = trial
    stand = depths[0]
    if stand not in best:
        return stand, None
    for deeper in depths[1:]:
        held = best[stand]
        if deeper not in best:
            return deeper, held.params
        error = math.sqrt(held.score * (1 - held.score) / max(1, dev))
        if best[deeper].score - held.score <= error:
            break
        stand = deeper
    return stand, None
