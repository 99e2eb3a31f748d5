"""What the test set could see, and the learning curves: neither decides anything."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from medsweep.stats import curve, power, variance
from medsweep.stats.frame import Entry
from medsweep.stats.judge import Bound, Judge
from medsweep.stats.verdict import CellPower, Power

DISCORDANCES = (0.05, 0.1, 0.2)


def observed_power(
    judge: Judge, documents: int, groups: int | None, cells: Sequence[tuple[Entry, Bound]]
) -> Power:
    """What the test set can decide: by discordance beforehand, and as seen in each cell.

    Args:
        judge: of the verdict.
        documents: in the test set.
        groups: of documents, if there are any.
        cells: the candidates with the bound that they are judged by.
    """
    margin, alpha = judge.margin, judge.alpha
    seen = []
    for entry, bound in cells:
        error = math.sqrt(bound.document_variance + bound.draw_variance)
        seen.append(
            CellPower(
                model=entry.model or "",
                train_size=entry.train_size or 0,
                standard_error=error,
                power=float(power.power_of_error(error, margin, alpha)) if error > 0 else 1.0,
                documents_needed=power.required_from_error(
                    bound.document_variance, bound.draw_variance, documents, margin, alpha
                ),
            )
        )
    enough = all(c.power >= 0.8 for c in seen) and not shows_nothing(judge) if seen else None
    return Power(
        documents=documents,
        groups=groups,
        required={str(d): power.required_documents(d, margin, alpha) for d in DISCORDANCES},
        power={str(d): power.power_at(documents, d, margin, alpha) for d in DISCORDANCES},
        cells=seen,
        enough=enough,
        statement=_power_statement(judge, documents, groups, seen),
    )


def _power_statement(
    judge: Judge, documents: int, groups: int | None, cells: list[CellPower]
) -> str:
    size = f"{documents} test documents" + (f" in {groups} groups" if groups is not None else "")
    margin = judge.margin
    if shows_nothing(judge):
        worth = f", worth {judge.evidence.units:.0f} of equal size," if groups is not None else ""
        return (
            f"{size}{worth} are too few to show anything at a margin of {margin:g}: not even "
            "perfect agreement would"
        )
    if not cells:
        return f"{size}; no candidate to judge"
    weak = [c for c in cells if c.power < 0.8]
    if not weak:
        return (
            f"{size} are enough: in every cell two equal systems would be called a match within"
            f" {margin:g} in at least 80 %, before correction for the number of cells"
        )
    needed = [c.documents_needed for c in weak]
    most = max((n for n in needed if n is not None), default=None)
    more = f"; about {most} documents would do" if most and None not in needed else ""
    draws = "; in some cells only more draws can help" if None in needed else ""
    return (
        f"{size} are too few for {len(weak)} of {len(cells)} cells: two equal systems would be"
        f" missed within {margin:g} in more than 20 %, before correction for the number of"
        f" cells{more}{draws}"
    )


def shows_nothing(judge: Judge) -> bool:
    """Whether even perfect agreement would show no match: too few documents, or groups of them."""
    floor = variance.least_variance(judge.margin, judge.evidence.units)
    return bool(special.ndtri(judge.alpha) ** 2 * floor > judge.margin**2)


def learning_curves(
    judge: Judge, entries: Sequence[Entry], rng: np.random.Generator
) -> list[curve.Curve]:
    """A curve for each tuned model, the reference's included."""
    ev = judge.evidence
    ref = judge.reference
    target = ev.mean(ref) - judge.margin
    by_model: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.arm == "finetuned" and entry.model and entry.train_size:
            by_model.setdefault(entry.model, []).append(entry)
    curves = []
    for model, cells in by_model.items():
        cells = sorted(cells, key=lambda e: e.train_size or 0)
        draws = [max(ev.between(e)[0] - ev.documents_within(e), 0.0) for e in cells]
        curves.append(
            curve.learning_curve(
                model,
                [e.train_size or 0 for e in cells],
                np.array([ev.mean(e) for e in cells]),
                [[float(s) for s in ev.scores[list(e.rows)]] for e in cells],
                np.stack([ev.mean_replicates(e) for e in cells], axis=1),
                np.array(
                    [d if len(e.draws) > 1 else 0.0 for d, e in zip(draws, cells, strict=True)]
                ),
                target,
                ev.mean_replicates(ref) - judge.margin,
                judge.alpha,
                rng,
            )
        )
    return curves
