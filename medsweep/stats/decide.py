"""The decision: which candidates match the reference.

Reads no file and imports neither torch, ray nor mlflow: a sweep and predictions from anywhere
are decided by this same function.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medsweep.errors import ConfigError, DataError
from medsweep.stats import curve, power
from medsweep.stats.frame import Entry, Panel, read_panel
from medsweep.stats.judge import Bound, Evidence, Judge, key_of
from medsweep.stats.metrics import check_metric
from medsweep.stats.multiplicity import holm_of_sequences
from medsweep.stats.verdict import (
    AdapterClaim,
    ArmResult,
    Cell,
    CellPower,
    Claim,
    Match,
    Power,
    ReferenceResult,
    Verdict,
)

RESAMPLES = 4_000
DISCORDANCES = (0.05, 0.1, 0.2)
ONE_DRAW = "one draw: the adapter can be claimed to match, not that so many labels are enough"


def decide(
    frame: pd.DataFrame,
    *,
    task: str,
    metric: str,
    reference: Mapping[str, str | None],
    margin: float,
    alpha: float = 0.05,
    params: Mapping[str, int] | None = None,
    groups: Mapping[str, str] | str | None = None,
    seed: int = 0,
    dev_labels: int = 0,
    absent: int = 0,
    trials: Mapping[tuple[str, int], Mapping[str, Any]] | None = None,
    name: str | None = None,
    provenance: Mapping[str, Any] | None = None,
    resamples: int = RESAMPLES,
) -> Verdict:
    """Decide which fine-tuned cells are non-inferior to the reference.

    A cell matches when the family-wise adjusted one-sided p-value of (cell − reference) ≤ −margin
    is at most ``alpha``. Its error has two parts, documents and draws; see
    :mod:`medsweep.stats.variance`. The candidates are all ``finetuned`` cells but the reference
    itself, the reference's own smaller sizes included. Without any, the other models of the
    reference's arm are.

    Args:
        frame: a row a document, arm, model, training size and draw, with the columns ``arm, model,
            train_size, draw, doc_id, gold, pred``; ``pred`` ``""`` is unparsable, hence wrong.
        task: ``classification``, ``multilabel`` or ``ner``.
        metric: one of the task's metrics.
        reference: ``{"arm": …, "model": …}``; the model may be left out, ``None`` or ``""`` where
            the arm has one or none. Of several training sizes the largest is taken, of several
            draws the mean.
        margin: largest loss of the metric that still counts as a match, above 0.
        alpha: one-sided family-wise error rate, in (0, 0.5).
        params: parameters by model; without them ``smallest`` stays empty.
        groups: group (patient) of every document id, or the name of a column: groups are
            resampled in place of documents.
        seed: of the bootstrap.
        dev_labels: labelled documents spent on the dev set, added to ``labels_used``.
        absent: candidate models that were planned and have no predictions: they keep their share of
            ``alpha``, because that they fell away was not known before the data.
        trials: the hyperparameters that won, by (model, train_size); handed through.
        name: of the sweep; handed through.
        provenance: handed through.
        resamples: bootstrap resamples.

    Raises:
        ConfigError: an option cannot be used, or the reference is not in the table.
        DataError: the table cannot be used.
    """
    _check_options(task, metric, margin, alpha)
    panel = read_panel(frame, groups)
    if task == "classification":
        _check_spelling(panel)
    evidence = Evidence.gather(panel, task, metric, resamples, seed)
    ref = _find_reference(panel.entries, reference)
    candidates = _candidates(panel.entries, ref)
    judge = Judge(evidence, ref, margin, alpha)

    claims = [judge.labels_claim(entry) for entry in candidates]
    adjusted = _adjust(candidates, [c.p_value if c else None for c in claims], absent)
    single = [judge.adapter_claim(entry) for entry in candidates]
    single_p = _adjust(candidates, [bound.p_value for bound in single], absent)
    sizes = dict(params or {})
    cells = [
        _cell(judge, entry, claim, p, _adapter(judge, entry, *one), sizes, dev_labels, trials or {})
        for entry, claim, p, one in zip(
            candidates, claims, adjusted, zip(single, single_p, strict=True), strict=True
        )
    ]
    matches = _matches(cells)
    smallest, fewest, reason = _choose(matches, cells, ref)
    return Verdict(
        name=name,
        task=task,
        metric=metric,
        margin=margin,
        alpha=alpha,
        reference=ReferenceResult(
            arm=ref.arm,
            model=ref.model,
            params=sizes.get(ref.model or ""),
            train_size=ref.train_size,
            draws=len(ref.draws),
            score=evidence.mean(ref),
            ci=judge.score_interval(ref),
        ),
        cells=cells,
        arms=[_arm(judge, panel, entry) for entry in panel.entries],
        smallest=smallest,
        fewest_labels=fewest,
        reason=reason,
        power=_power(judge, panel, candidates),
        curves=_curves(judge, [*candidates, ref], np.random.default_rng([seed, 1])),
        provenance=dict(provenance or {}),
    )


def _check_spelling(panel: Panel) -> None:
    """A label that gold writes otherwise would count as wrong, and make the other side match."""
    known = set(panel.gold)
    alike = {str(label).strip().casefold(): label for label in known}
    for entry in panel.entries:
        for said in sorted(set(panel.preds[list(entry.rows)].ravel()) - known - {""}):
            if (label := alike.get(said.strip().casefold())) is not None:
                raise DataError(
                    f"predicts {said!r}, which gold writes {label!r}",
                    where=" ".join(filter(None, ("predictions:", entry.arm, entry.model))),
                    fix="write labels as gold does",
                )


def _check_options(task: str, metric: str, margin: float, alpha: float) -> None:
    check_metric(task, metric)
    if not (isinstance(margin, (int, float)) and 0 < margin < 1):
        raise ConfigError(
            f"the margin is {margin!r}", where="decide.margin", fix="give a number in (0, 1)"
        )
    if not (isinstance(alpha, (int, float)) and 0 < alpha < 0.5):
        raise ConfigError(
            f"alpha is {alpha!r}", where="decide.alpha", fix="give a number in (0, 0.5)"
        )


def _find_reference(entries: list[Entry], wanted: Mapping[str, str | None]) -> Entry:
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
            f"the arm {arm} has several models", where="reference.model", fix=_one_of(models)
        )
    return max(found, key=lambda e: -1 if e.train_size is None else e.train_size)


def _one_of(names: list[str]) -> str:
    return "choose one of " + ", ".join(names)


def _candidates(entries: list[Entry], ref: Entry) -> list[Entry]:
    others = [e for e in entries if e.model is not None and key_of(e) != key_of(ref)]
    tuned = [e for e in others if e.arm == "finetuned"]
    chosen = tuned or [e for e in others if e.arm == ref.arm]
    return sorted(chosen, key=lambda e: (e.model or "", e.train_size or 0))


def _adjust(
    candidates: list[Entry], p_values: list[float | None], absent: int = 0
) -> list[float | None]:
    """Holm over models, from the largest size down within a model.

    A cell without a p-value is passed over: that it has one draw was known before the data.
    """
    chains: dict[str | None, list[int]] = {}
    for i in sorted(range(len(candidates)), key=lambda i: -(candidates[i].train_size or 0)):
        if p_values[i] is not None:
            chains.setdefault(candidates[i].model, []).append(i)
    adjusted: list[float | None] = [None] * len(candidates)
    sequences = [[p_values[i] or 0.0 for i in chain] for chain in chains.values()]
    found = holm_of_sequences([*sequences, *[[1.0]] * absent])
    for chain, values in zip(chains.values(), found, strict=False):
        for i, value in zip(chain, values, strict=True):
            adjusted[i] = value
    return adjusted


def _cell(
    judge: Judge,
    entry: Entry,
    claim: Bound | None,
    adjusted: float | None,
    adapter: AdapterClaim,
    params: Mapping[str, int],
    dev_labels: int,
    trials: Mapping[tuple[str, int], Mapping[str, Any]],
) -> Cell:
    model, size = entry.model or "", entry.train_size or 0
    trial = trials.get((model, size))
    score = judge.evidence.mean(entry)
    return Cell(
        model=model,
        params=params.get(model),
        train_size=size,
        labels_used=size + dev_labels,
        draws=len(entry.draws),
        trial=dict(trial) if trial is not None else None,
        score=score,
        ci=judge.score_interval(entry),
        diff=score - judge.evidence.mean(judge.reference),
        diff_lower=claim.lower if claim else None,
        p_value=claim.p_value if claim else None,
        p_adjusted=adjusted,
        non_inferior=adjusted <= judge.alpha if adjusted is not None else None,
        adapter=adapter,
        reason=None if claim else ONE_DRAW,
    )


def _adapter(judge: Judge, entry: Entry, one: Bound, adjusted: float | None) -> AdapterClaim:
    return AdapterClaim(
        draw=entry.draws[0],
        score=float(judge.evidence.scores[entry.rows[0]]),
        diff=one.diff,
        diff_lower=one.lower,
        p_adjusted=adjusted,
        non_inferior=adjusted is not None and adjusted <= judge.alpha,
    )


def _arm(judge: Judge, panel: Panel, entry: Entry) -> ArmResult:
    bound = judge.compare(entry)
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
    )


def _matches(cells: list[Cell]) -> list[Match]:
    """The cells that match: by the claim on labels, or by adapters where no cell has draws."""
    if any(c.draws > 1 for c in cells):
        return [
            _match(c, "n_labels", c.diff, c.diff_lower, c.p_adjusted)
            for c in cells
            if c.non_inferior
        ]
    return [
        _match(c, "adapter", c.adapter.diff, c.adapter.diff_lower, c.adapter.p_adjusted)
        for c in cells
        if c.adapter.non_inferior
    ]


def _match(cell: Cell, claim: Claim, diff: float, lower: float | None, p: float | None) -> Match:
    return Match(
        model=cell.model,
        params=cell.params,
        train_size=cell.train_size,
        labels_used=cell.labels_used,
        score=cell.score,
        diff=diff,
        diff_lower=lower if lower is not None else math.nan,
        p_adjusted=p if p is not None else math.nan,
        claim=claim,
    )


def _choose(
    matches: list[Match], cells: list[Cell], ref: Entry
) -> tuple[Match | None, Match | None, str | None]:
    """The smallest model and the fewest labels among the matches, and what is in the way."""
    if not cells:
        return None, None, "there is no fine-tuned candidate to compare with the reference"
    if not matches:
        return None, None, "no cell is shown to match the reference within the margin"
    big = math.inf
    fewest = min(matches, key=lambda m: (m.labels_used, m.params or big, -m.score))
    notes = []
    if fewest.claim == "adapter":
        notes.append("there is one draw, so the claim is about the tested adapters alone")
    smallest = None
    others = [m for m in matches if m.model != ref.model]
    unknown = sorted({m.model for m in matches if m.params is None})
    if unknown:
        notes.append(f"the parameters of {', '.join(unknown)} are unknown, so none is the smallest")
    elif not others:
        notes.append("only the reference model itself matches, with fewer labels")
    else:
        smallest = min(others, key=lambda m: (m.params or big, m.labels_used, -m.score))
    return smallest, fewest, "; ".join(notes) or None


def _power(judge: Judge, panel: Panel, candidates: list[Entry]) -> Power:
    """What the test set can decide: by discordance beforehand, and as seen in each cell."""
    ev, margin, alpha = judge.evidence, judge.margin, judge.alpha
    documents = len(panel.ids)
    seen = []
    for entry in candidates:
        bound = judge.labels_claim(entry) or judge.adapter_claim(entry)
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
    enough = all(c.power >= 0.8 for c in seen) if seen else None
    return Power(
        documents=documents,
        groups=None if panel.groups is None else ev.counts.documents,
        required={str(d): power.required_documents(d, margin, alpha) for d in DISCORDANCES},
        power={str(d): power.power_at(documents, d, margin, alpha) for d in DISCORDANCES},
        cells=seen,
        enough=enough,
        statement=_power_statement(documents, margin, seen),
    )


def _power_statement(documents: int, margin: float, cells: list[CellPower]) -> str:
    if not cells:
        return f"{documents} test documents; no candidate to judge"
    weak = [c for c in cells if c.power < 0.8]
    if not weak:
        return (
            f"{documents} test documents are enough: every cell had at least 80 % power to show a"
            f" match within {margin:g}"
        )
    needed = [c.documents_needed for c in weak]
    most = max((n for n in needed if n is not None), default=None)
    more = f"; about {most} documents would do" if most and None not in needed else ""
    draws = "; in some cells only more draws can help" if None in needed else ""
    return (
        f"{documents} test documents are too few for {len(weak)} of {len(cells)} cells: a true"
        f" match within {margin:g} would be missed in more than 20 %{more}{draws}"
    )


def _curves(judge: Judge, entries: list[Entry], rng: np.random.Generator) -> list[curve.Curve]:
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
