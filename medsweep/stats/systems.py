"""Which systems of a table are judged, in which families, and which of two is simpler."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from medsweep.errors import ConfigError
from medsweep.stats.frame import Entry
from medsweep.stats.judge import key_of
from medsweep.stats.multiplicity import holm_of_sequences
from medsweep.stats.variance import overlap

# From lines of keywords to a service: what running and explaining a system takes.
_COMPLEXITY = {"rules": 0, "dictionary": 1, "tfidf": 2, "probe": 3, "endpoint": 5, "predictions": 5}
_MODEL = 4
HALF = 0.5
# What reads nothing of a document is no system; the reference has to be better than it.
FLOOR = "majority"
# The arms that a weak reference is shown beside.
PLAIN = ("rules", "dictionary", "tfidf")


def find_reference(entries: Sequence[Entry], wanted: Mapping[str, str | None]) -> Entry:
    """The reference at its largest training size.

    Raises:
        ConfigError: it is not in the table, or its arm has several models.
    """
    arm, model = wanted.get("arm"), wanted.get("model") or None
    found = [e for e in entries if e.arm == arm and (model is None or e.model == model)]
    if not found:
        have = sorted({f"{e.arm}:{e.model}" if e.model else e.arm for e in entries})
        raise ConfigError(
            f"the reference {arm}{':' + model if model else ''} made no predictions",
            where="reference",
            fix="choose one of " + ", ".join(have),
        )
    models = sorted({e.model or "" for e in found})
    if len(models) > 1:
        raise ConfigError(
            f"the arm {arm} has several models",
            where="reference.model",
            fix="choose one of " + ", ".join(models),
        )
    return max(found, key=lambda e: -1 if e.train_size is None else e.train_size)


def find_candidates(entries: Sequence[Entry], reference: Entry) -> list[Entry]:
    """The tuned cells but the reference; without any, the other models of its arm."""
    others = [e for e in entries if e.model is not None and key_of(e) != key_of(reference)]
    tuned = [e for e in others if e.arm == "finetuned"]
    chosen = tuned or [e for e in others if e.arm == reference.arm]
    return sorted(chosen, key=lambda e: (e.model or "", e.train_size or 0))


def find_baselines(
    entries: Sequence[Entry], reference: Entry, candidates: Sequence[Entry]
) -> list[Entry]:
    """The other systems: neither candidate nor reference, nor the reference with fewer labels."""
    taken = {key_of(e) for e in candidates}
    own = (reference.arm, reference.model)
    return [
        e
        for e in entries
        if key_of(e) not in taken and (e.arm, e.model) != own and base_arm(e.arm) != FLOOR
    ]


def base_arm(arm: str) -> str:
    """An arm without what tells it from another of its name."""
    return arm.partition("-")[0]


def complexity(arm: str, params: int | None, labels: int, score: float) -> tuple[float, ...]:
    """Ascending from the simplest: by kind of system, parameters, labels; the better first."""
    kind = _COMPLEXITY.get(base_arm(arm), _MODEL)
    return kind, params or math.inf, labels, -score


def adjust(
    systems: Sequence[Entry],
    p_values: Sequence[float | None],
    absent: int = 0,
    pool: int | None = None,
) -> list[float | None]:
    """Holm over systems (arm and model), in a fixed sequence of sizes within one.

    Args:
        systems: each at one training size.
        p_values: of each; one without, because it has one draw, is passed over: that was known
            before the data.
        absent: systems that were planned and have no p-value.
        pool: documents that training sets are drawn from.
    """
    chains: dict[tuple[str, str | None], list[int]] = {}
    for i in sorted(range(len(systems)), key=lambda i: _turn(systems[i].train_size or 0, pool)):
        if p_values[i] is not None:
            chains.setdefault((systems[i].arm, systems[i].model), []).append(i)
    adjusted: list[float | None] = [None] * len(systems)
    sequences = [[p_values[i] or 0.0 for i in chain] for chain in chains.values()]
    found = holm_of_sequences([*sequences, *[[1.0]] * absent])
    for chain, values in zip(chains.values(), found, strict=False):
        for i, value in zip(chain, values, strict=True):
            adjusted[i] = value
    return adjusted


def _turn(size: int, pool: int | None) -> tuple[bool, int]:
    """From the largest size down; sizes that overlap by more than half come last.

    Such draws say little of new labels, and would end the sequence before it began.
    """
    return overlap(size, pool) > HALF, -size
