"""The decision: which systems match the reference.

Reads no file and imports neither torch, ray nor mlflow: a sweep and predictions from anywhere
are decided by this same function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd

from medsweep.errors import ConfigError
from medsweep.stats import claims, systems
from medsweep.stats.frame import Entry, Panel, read_panel
from medsweep.stats.judge import Evidence, Judge, key_of
from medsweep.stats.metrics import check_metric
from medsweep.stats.observed import learning_curves, observed_power, shows_nothing
from medsweep.stats.sensitivity import assay, with_floor
from medsweep.stats.spelling import check_panel
from medsweep.stats.verdict import (
    ArmResult,
    Match,
    ReferenceResult,
    Sensitivity,
    Systems,
    Verdict,
)

RESAMPLES = 4_000
# The least margin and alpha: nobody has the documents for less, and numbers stay finite.
LEAST = 1e-6
BARRED = (
    "the reference is not shown to be better than the majority by more than the margin, so that "
    "to match it shows nothing"
)
TOO_FEW = "the test documents, or groups of them, are too few to show anything at this margin"


class Options(TypedDict, total=False):
    """What :func:`decide` may be told besides; each has its meaning at :class:`Design`."""

    dev_labels: int
    absent: int
    pool: int | None
    systems: Systems
    sensitivity: bool
    trials: Mapping[tuple[str, int], Mapping[str, Any]] | None
    name: str | None
    provenance: Mapping[str, Any] | None
    resamples: int


@dataclass(frozen=True)
class Design:
    """What is known of the study besides its table.

    Attributes:
        dev_labels: labelled documents spent on the dev set, added to ``labels_used``.
        absent: candidate models that were planned and have no predictions: they keep their share of
            ``alpha``, because that they fell away was not known before the data.
        pool: labelled documents that training sets were drawn from: draws from few overlap, and
            show less than new labels would. ``None`` takes draws as independent.
        systems: ``all`` judges every system in one correction; ``tuned`` leaves all but the
            candidates descriptive.
        sensitivity: whether the reference has to be better than the majority by the margin.
        trials: the hyperparameters that won, by (model, train_size); handed through.
        name: of the sweep; handed through.
        provenance: handed through.
        resamples: bootstrap resamples.
    """

    dev_labels: int = 0
    absent: int = 0
    pool: int | None = None
    systems: Systems = "all"
    sensitivity: bool = True
    trials: Mapping[tuple[str, int], Mapping[str, Any]] | None = None
    name: str | None = None
    provenance: Mapping[str, Any] | None = field(default_factory=dict)
    resamples: int = RESAMPLES


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
    **options: Unpack[Options],
) -> Verdict:
    """Decide which systems are non-inferior to the reference.

    A system matches when the family-wise adjusted one-sided p-value of (system − reference) ≤
    −margin is at most ``alpha``. Its error has two parts, documents and draws; see
    :mod:`medsweep.stats.variance`. The candidates are all ``finetuned`` cells but the reference
    itself, the reference's own smaller sizes included; without any, the other models of its arm.

    Args:
        frame: a row a document, arm, model, training size and draw, with the columns ``arm, model,
            train_size, draw, doc_id, gold, pred``; ``pred`` ``""`` is unparsable, hence wrong.
        task: ``classification``, ``multilabel`` or ``ner``.
        metric: one of the task's metrics.
        reference: ``{"arm": …, "model": …}``; the model may be left out, ``None`` or ``""`` where
            the arm has one or none. Of several training sizes the largest is taken, of several
            draws the mean.
        margin: largest loss of the metric that still counts as a match, in [1e-6, 1).
        alpha: one-sided family-wise error rate, in [1e-6, 0.5).
        params: parameters by model; without them ``smallest`` stays empty.
        groups: group (patient) by document id, or the name of a column: groups are resampled in
            place of documents. A document without one is a group of its own.
        seed: of the bootstrap.
        options: see :class:`Design`.

    Raises:
        ConfigError: an option cannot be used, or the reference is not in the table.
        DataError: the table cannot be used.
    """
    design = Design(**options)
    _check_options(task, metric, margin, alpha, design)
    panel = read_panel(frame, task, groups)
    ref = systems.find_reference(panel.entries, reference)
    judged, floor = with_floor(panel, task)
    evidence = Evidence.gather(judged, task, metric, design.resamples, seed, design.pool)
    check_panel(panel, task, metric)
    judge = Judge(evidence, ref, margin, alpha)
    findings = _judge(judge, panel, floor, dict(params or {}), design)
    return _verdict(judge, panel, (task, metric), findings, design, seed)


@dataclass(frozen=True)
class _Findings:
    """What was found of the systems of a table.

    Attributes:
        candidates: the tuned cells, or what stands for them.
        rulings: of all systems in the correction, candidates first.
        gate: assay sensitivity, ``None`` where it is not asked for.
        several: whether claims are about means over draws.
        matches: what matches, and may be said to.
        params: by model.
    """

    candidates: list[Entry]
    rulings: list[claims.Ruling]
    gate: Sensitivity | None
    several: bool
    matches: list[Match]
    params: Mapping[str, int]

    @property
    def barred(self) -> bool:
        """Whether the reference is no good to be matched."""
        return self.gate is not None and not self.gate.passed


def _judge(
    judge: Judge, panel: Panel, floor: Entry, params: Mapping[str, int], design: Design
) -> _Findings:
    candidates = systems.find_candidates(panel.entries, judge.reference)
    baselines = systems.find_baselines(panel.entries, judge.reference, candidates)
    family = [*candidates, *(baselines if design.systems == "all" else [])]
    rulings = claims.rule(judge, family, design.absent, design.pool, judge.evidence.mean(floor))
    gate = assay(judge, floor, panel.entries) if design.sensitivity else None
    several = any(len(e.draws) > 1 for e in candidates or family)
    findings = _Findings(candidates, rulings, gate, several, [], params)
    if findings.barred:
        return findings
    matches = claims.find_matches(judge, rulings, params, design.dev_labels, several)
    return replace(findings, matches=matches)


def _verdict(
    judge: Judge,
    panel: Panel,
    outcome: tuple[str, str],
    findings: _Findings,
    design: Design,
    seed: int,
) -> Verdict:
    ref, candidates = judge.reference, findings.candidates
    own = findings.rulings[: len(candidates)]
    choice = claims.choose_claims(findings.matches, candidates, ref)
    reason = BARRED if findings.barred and candidates else choice.reason
    if reason == claims.NO_MATCH and shows_nothing(judge):
        reason = TOO_FEW
    return Verdict(
        name=design.name,
        task=outcome[0],
        metric=outcome[1],
        margin=judge.margin,
        alpha=judge.alpha,
        systems=design.systems,
        reference=_reference(judge, findings.params),
        sensitivity=findings.gate,
        cells=[
            claims.as_cell(
                judge, r, findings.params, design.dev_labels, design.trials or {}, findings.barred
            )
            for r in own
        ],
        arms=_arms(judge, panel, findings),
        simplest=choice.simplest,
        smallest=choice.smallest,
        fewest_labels=choice.fewest_labels,
        reason=reason,
        power=observed_power(
            judge,
            len(panel.ids),
            None if panel.groups is None else judge.evidence.counts.documents,
            [(r.entry, r.shown) for r in own],
        ),
        curves=learning_curves(judge, [*candidates, ref], np.random.default_rng([seed, 1])),
        test_set=panel.digest,
        provenance=dict(design.provenance or {}),
    )


def _arms(judge: Judge, panel: Panel, findings: _Findings) -> list[ArmResult]:
    by_key = {key_of(r.entry): r for r in findings.rulings}
    matching = {(m.arm, m.model or None, m.train_size or None) for m in findings.matches}
    return [
        claims.as_arm(
            judge,
            panel,
            entry,
            by_key.get(key_of(entry)),
            several=findings.several,
            matched=key_of(entry) in matching,
        )
        for entry in panel.entries
    ]


def _reference(judge: Judge, params: Mapping[str, int]) -> ReferenceResult:
    ref = judge.reference
    return ReferenceResult(
        arm=ref.arm,
        model=ref.model,
        params=params.get(ref.model or ""),
        train_size=ref.train_size,
        draws=len(ref.draws),
        score=judge.evidence.mean(ref),
        ci=judge.score_interval(ref),
    )


def _check_options(task: str, metric: str, margin: float, alpha: float, design: Design) -> None:
    check_metric(task, metric)
    for name, value, most in (("margin", margin, 1), ("alpha", alpha, 0.5)):
        if not (isinstance(value, (int, float)) and LEAST <= value < most):
            raise ConfigError(
                f"{name} is {value!r}",
                where=f"decide.{name}",
                fix=f"give a number from {LEAST:f} to below {most}",
            )
    if design.systems not in ("all", "tuned"):
        raise ConfigError(
            f"is {design.systems!r}", where="decide.systems", fix="choose all or tuned"
        )
    if design.pool is not None and design.pool < 1:
        raise ConfigError("must be 1 or more", where="decide.pool")
