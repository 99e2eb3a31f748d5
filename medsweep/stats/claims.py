"""What is claimed of each system, after correction, and the best of those that match."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import special

from medsweep.stats.frame import Entry, Panel
from medsweep.stats.judge import Bound, Judge
from medsweep.stats.systems import adjust, complexity
from medsweep.stats.verdict import AdapterClaim, ArmResult, CellResult, Claim, Match

ONE_DRAW = "one draw: the adapter can be claimed to match, not that so many labels are enough"
NO_MATCH = "no cell is shown to match the reference within the margin"
WHOLE_POOL = "all labelled documents: the claim is about this labelled set, not so many labels"


@dataclass(frozen=True)
class Ruling:
    """What was found of one system at one training size.

    Attributes:
        entry: the system.
        claim: the most that can be said of it.
        bound: over documents and draws; over documents where nothing was trained; ``None`` with
            one draw.
        p_adjusted: of ``bound``, over all systems.
        single: of the first draw alone.
        p_single: the same for ``single``.
        forbidden: why no mean over draws may be claimed to match, whatever the bound.
    """

    entry: Entry
    claim: Claim
    bound: Bound | None
    p_adjusted: float | None
    single: Bound
    p_single: float | None
    forbidden: str | None

    @property
    def shown(self) -> Bound:
        """The bound of the claim that can be made."""
        return self.bound or self.single


def rule(
    judge: Judge, systems: Sequence[Entry], absent: int, pool: int | None, floor: float
) -> list[Ruling]:
    """Judge systems together, so that one error rate holds over all of them.

    Args:
        judge: of the verdict.
        systems: what counts in the correction.
        absent: systems that were planned and are not there.
        pool: documents that training sets are drawn from, if that is known.
        floor: the majority's score.
    """
    bounds = [judge.adapter_claim(e) if _untrained(e) else judge.labels_claim(e) for e in systems]
    adjusted = adjust(systems, [b.p_value if b else None for b in bounds], absent, pool)
    singles = [judge.adapter_claim(e) for e in systems]
    alone = adjust(systems, [b.p_value for b in singles], absent)
    return [
        Ruling(entry, _claim(entry, pool), bound, p, single, q, collapse(judge, entry, floor))
        for entry, bound, p, single, q in zip(
            systems, bounds, adjusted, singles, alone, strict=True
        )
    ]


def _untrained(entry: Entry) -> bool:
    """Whether nothing of it was drawn: with one draw, documents are the only sampling."""
    return entry.train_size is None and entry.arm != "finetuned" and len(entry.draws) == 1


def _claim(entry: Entry, pool: int | None) -> Claim:
    if _untrained(entry):
        return "system"
    if len(entry.draws) < 2:
        return "adapter"
    whole = pool is not None and entry.train_size is not None and entry.train_size >= pool
    return "labelled_set" if whole else "n_labels"


def collapse(judge: Judge, entry: Entry, floor: float) -> str | None:
    """A draw nearer to the majority than to the reference, among others that are not.

    What failed once in three draws fails in an unknown share of all: no interval holds for a mean
    of which such a draw is a part.
    """
    scores = judge.evidence.scores[list(entry.rows)]
    low = scores < (floor + judge.evidence.mean(judge.reference)) / 2
    if len(entry.draws) < 2 or not low.any() or low.all():
        return None
    first = entry.draws[int(low.argmax())]
    return f"draw {first} collapsed: nearer to the majority than to the reference, so no mean holds"


def as_cell(
    judge: Judge,
    ruling: Ruling,
    params: Mapping[str, int],
    dev_labels: int,
    trials: Mapping[tuple[str, int], Mapping[str, Any]],
    barred: bool,
) -> CellResult:
    """A candidate as ``verdict.json`` holds it; ``barred`` where the reference is no good."""
    entry, bound = ruling.entry, ruling.bound
    model, size = entry.model or "", entry.train_size or 0
    trial = trials.get((model, size))
    score = judge.evidence.mean(entry)
    within = len(entry.draws) - draws_below(judge, entry)
    return CellResult(
        model=model,
        params=params.get(model),
        train_size=size,
        labels_used=size + dev_labels,
        draws=len(entry.draws),
        trial=dict(trial) if trial is not None else None,
        score=score,
        ci=judge.score_interval(entry),
        diff=score - judge.evidence.mean(judge.reference),
        diff_lower=bound.lower if bound else None,
        p_value=bound.p_value if bound else None,
        p_adjusted=ruling.p_adjusted,
        non_inferior=_matches(judge, ruling, barred),
        adapter=_adapter(judge, ruling, barred),
        claim=ruling.claim,
        draws_below=len(entry.draws) - within,
        new_draw=chance_of_another(within, len(entry.draws), judge.alpha),
        reason=_reason(ruling),
    )


def draws_below(judge: Judge, entry: Entry) -> int:
    """Draws that score below reference − margin."""
    least = judge.evidence.mean(judge.reference) - judge.margin
    return int((judge.evidence.scores[list(entry.rows)] < least).sum())


def chance_of_another(good: int, draws: int, alpha: float) -> float:
    """Lower bound on the chance that a new draw is as good as ``good`` of these were.

    One-sided, exact (Clopper and Pearson, Biometrika 26 (1934) 404–413): three good draws of three
    show no more than 0.37 at alpha 0.05.
    """
    return float(special.betaincinv(good, draws - good + 1, alpha)) if good else 0.0


def _reason(ruling: Ruling) -> str | None:
    if ruling.bound is None:
        return ONE_DRAW
    return ruling.forbidden or (WHOLE_POOL if ruling.claim == "labelled_set" else None)


def _matches(judge: Judge, ruling: Ruling, barred: bool) -> bool | None:
    if ruling.p_adjusted is None:
        return None
    return not barred and ruling.forbidden is None and ruling.p_adjusted <= judge.alpha


def _adapter(judge: Judge, ruling: Ruling, barred: bool) -> AdapterClaim:
    p = ruling.p_single
    return AdapterClaim(
        draw=ruling.entry.draws[0],
        score=float(judge.evidence.scores[ruling.entry.rows[0]]),
        diff=ruling.single.diff,
        diff_lower=ruling.single.lower,
        p_adjusted=p,
        non_inferior=not barred and p is not None and p <= judge.alpha,
    )


def as_arm(
    judge: Judge,
    panel: Panel,
    entry: Entry,
    ruling: Ruling | None,
    *,
    several: bool,
    matched: bool,
) -> ArmResult:
    """Any system as ``verdict.json`` holds it; without a ruling it is descriptive.

    Args:
        judge: of the verdict.
        panel: the predictions.
        entry: the system.
        ruling: on it.
        several: whether claims are about means over draws.
        matched: whether it is among the matches.
    """
    bound = judge.compare(entry)
    adjusted = None if ruling is None else ruling.p_adjusted if several else ruling.p_single
    return ArmResult(
        arm=entry.arm,
        model=entry.model,
        train_size=entry.train_size,
        draws=len(entry.draws),
        score=judge.evidence.mean(entry),
        ci=judge.score_interval(entry),
        diff=bound.diff,
        diff_lower=bound.lower,
        parse_failures=float((panel.preds[list(entry.rows)] == "").mean()),
        claim=ruling.claim if ruling else None,
        p_adjusted=adjusted,
        non_inferior=None if adjusted is None else matched,
    )


def find_matches(
    judge: Judge,
    rulings: Sequence[Ruling],
    params: Mapping[str, int],
    dev_labels: int,
    several: bool,
) -> list[Match]:
    """The systems that match: by their means over draws, or else by the first draw.

    Args:
        judge: of the verdict.
        rulings: of all systems in the correction.
        params: by model.
        dev_labels: of the systems that learn.
        several: whether the candidates have draws, so that claims are about them.
    """
    matches = []
    for ruling in rulings:
        bound = ruling.bound if several else ruling.single
        p = ruling.p_adjusted if several else ruling.p_single
        barred = several and ruling.forbidden is not None
        if bound is None or p is None or p > judge.alpha or barred:
            continue
        entry = ruling.entry
        size = entry.train_size or 0
        claim: Claim = ruling.claim if several or ruling.claim == "system" else "adapter"
        matches.append(
            Match(
                arm=entry.arm,
                model=entry.model or "",
                params=params.get(entry.model or ""),
                train_size=size,
                labels_used=size + (dev_labels if size else 0),
                score=judge.evidence.mean(entry),
                diff=bound.diff,
                diff_lower=bound.lower,
                p_adjusted=p,
                claim=claim,
            )
        )
    return matches


@dataclass(frozen=True)
class Claims:
    """The best of the matches.

    Attributes:
        simplest: of all systems.
        smallest: of the candidates, by parameters.
        fewest_labels: of the candidates, by labels.
        reason: why one of them is missing, or what else limits the verdict.
    """

    simplest: Match | None
    smallest: Match | None
    fewest_labels: Match | None
    reason: str | None


def choose_claims(
    matches: Sequence[Match], candidates: Sequence[Entry], reference: Entry
) -> Claims:
    """The simplest system, the smallest model and the fewest labels among the matches."""
    simplest = _simplest([m for m in matches if (m.arm, m.model) != _own(reference)])
    keys = {(e.arm, e.model or "", e.train_size or 0) for e in candidates}
    tuned = [m for m in matches if (m.arm, m.model, m.train_size) in keys]
    if not candidates:
        reason = "there is no fine-tuned candidate to compare with the reference"
        return Claims(simplest, None, None, reason)
    if not tuned:
        return Claims(simplest, None, None, NO_MATCH)
    big = math.inf
    fewest = min(tuned, key=lambda m: (m.labels_used, m.params or big, -m.score))
    notes = []
    if fewest.claim == "adapter":
        notes.append("there is one draw, so the claim is about the tested adapters alone")
    smallest = None
    others = [m for m in tuned if m.model != reference.model]
    unknown = sorted({m.model for m in tuned if m.params is None})
    if unknown:
        notes.append(f"the parameters of {', '.join(unknown)} are unknown, so none is the smallest")
    elif not others:
        notes.append("only the reference model itself matches, with fewer labels")
    else:
        smallest = min(others, key=lambda m: (m.params or big, m.labels_used, -m.score))
    return Claims(simplest, smallest, fewest, "; ".join(notes) or None)


def _own(reference: Entry) -> tuple[str, str]:
    return reference.arm, reference.model or ""


def _simplest(matches: Sequence[Match]) -> Match | None:
    """``None`` also where the simplest kind has several models of unknown size."""
    if not matches:
        return None

    def order(m: Match) -> tuple[float, ...]:
        return complexity(m.arm, m.params, m.labels_used, m.score)

    best = min(matches, key=order)
    rivals = {m.model for m in matches if order(m)[0] == order(best)[0] and m.params is None}
    return None if len(rivals - {best.model}) and best.params is None else best
