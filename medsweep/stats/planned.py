"""Power of a study before anything is trained, by simulating its decision.

:func:`medsweep.stats.power.power_at` is exact for one adapter's accuracy. For F-scores, draws,
groups and the correction over systems nothing is exact: here made-up systems answer the very test
documents (their gold, their groups) and the decision is made as it will be, many times.

A system finds each thing that gold holds with the same probability. Difficulties of documents (of
mentions or labels, where a document has several) are normal and shared by all systems to the extent
that two of them disagree in the share of these that is asked for; draws of one cell have half of
the rest in common. The truth is that the
candidate is as good as the reference.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import optimize, special, stats

from medsweep.stats.frame import Entry
from medsweep.stats.judge import Evidence, Judge
from medsweep.stats.metrics import Counts, check_metric, is_proportion
from medsweep.stats.systems import adjust
from medsweep.stats.values import names_of
from medsweep.stats.variance import overlap

Array = NDArray[np.float64]

# Share of a difficulty that mentions of a document, and documents of a patient, have in common.
_DOCUMENT, _PATIENT = 0.2, 0.3


@dataclass(frozen=True)
class Study:
    """What is planned.

    Attributes:
        task: its kind.
        metric: that decides.
        gold: a value for each test document.
        groups: (documents,): group numbers, or ``None``.
        sizes: training sizes, of which each candidate model has all.
        draws: of each cell.
        models: candidate models, of which each is simulated.
        others: further models and other systems that share alpha.
        reference_draws: of a reference that learns from the training documents; 1 for any other.
        pool: documents that training sets are drawn from; ``None`` for endlessly many.
        margin: largest loss that still counts as a match.
        alpha: family-wise, one-sided.
    """

    task: str
    metric: str
    gold: Sequence[str]
    groups: NDArray[np.intp] | None = None
    sizes: tuple[int, ...] = (100,)
    draws: int = 1
    models: int = 1
    others: int = 0
    reference_draws: int = 1
    pool: int | None = None
    margin: float = 0.05
    alpha: float = 0.05


@dataclass(frozen=True)
class PlannedPower:
    """Shares of simulated studies.

    Attributes:
        by_size: chance that one model as good as the reference is called a match at each size,
            where no other system is.
        any_size: the same at any of its sizes.
        standard_error: of the largest of these, from the number of simulated studies.
        documents_needed: about so many documents would bring 80 % at the size that has the best
            chance; ``None`` where no number of them would, or none was called a match.
    """

    by_size: dict[int, float]
    any_size: float
    standard_error: float
    documents_needed: int | None


def simulate_power(
    study: Study,
    *,
    recall: float,
    discordance: float,
    draw_sd: float = 0.0,
    studies: int = 200,
    seed: int = 0,
) -> PlannedPower:
    """Chance that a study calls a match what is one.

    Args:
        study: what is planned.
        recall: share of gold that each system finds, in (0, 1).
        discordance: share of documents, or of mentions, that exactly one of two systems has right.
        draw_sd: standard deviation of the score between draws, apart from the documents' noise.
        studies: simulated ones.
        seed: of the simulation.

    Raises:
        ConfigError: the metric is none of the task's.
    """
    check_metric(study.task, study.metric)
    rng = np.random.default_rng(seed)
    world = _World.of(study, recall, discordance, draw_sd)
    *cells, reference = world.entries
    own = [i for i, e in enumerate(cells) if e.model == cells[0].model]
    found = np.zeros(len(study.sizes))
    variances = np.zeros((len(study.sizes), 2))
    any_size = 0
    for _ in range(studies):
        counts, right = world.draw(rng)
        evidence = Evidence.approximate(
            counts, world.entries, right, study.pool, grouped=study.groups is not None
        )
        judge = Judge(evidence, reference, study.margin, study.alpha)
        bounds = [judge.labels_claim(cells[i]) or judge.adapter_claim(cells[i]) for i in own]
        absent = study.models - 1 + study.others
        variances += [[b.document_variance, b.draw_variance] for b in bounds]
        adjusted = adjust([cells[i] for i in own], [b.p_value for b in bounds], absent, study.pool)
        matched = np.array([p is not None and p <= study.alpha for p in adjusted])
        found += matched
        any_size += bool(matched.any())
    best = max(float(found.max()), any_size) / studies
    return PlannedPower(
        by_size={n: float(k) / studies for n, k in zip(study.sizes, found, strict=True)},
        any_size=any_size / studies,
        standard_error=math.sqrt(best * (1 - best) / studies),
        documents_needed=_needed(study, found, variances / studies, studies),
    )


def _needed(study: Study, found: Array, variances: Array, studies: int) -> int | None:
    """Documents for 80 %, with the limits that the simulated decisions had in standard errors."""
    best = int(found.argmax())
    if not found[best]:
        return None
    share = min(found[best], studies - 0.5) / studies
    of_documents, of_draws = variances[best]
    limit = study.margin / math.sqrt(of_documents + of_draws) - special.ndtri(share)
    allowed = (study.margin / (limit + special.ndtri(0.8))) ** 2 - of_draws
    return None if allowed <= 0 else math.ceil(of_documents * len(study.gold) / allowed)


@dataclass(frozen=True)
class _World:
    """The made-up systems of a study.

    Attributes:
        study: that it is for.
        entries: cells of each model, then the reference.
        there: (documents, classes): how often gold has each.
        shared: share of a difficulty's variance that all systems have in common.
        threshold: of a document to be right, in standard deviations.
        shift: standard deviation of the threshold between draws.
    """

    study: Study
    entries: list[Entry]
    there: NDArray[np.int64]
    shared: float
    threshold: float
    shift: float

    @classmethod
    def of(cls, study: Study, recall: float, discordance: float, draw_sd: float) -> _World:
        names = [
            Counter(names_of(study.task, v, "gold", fields=study.metric == "attribute_f1"))
            for v in study.gold
        ]
        classes = sorted({name for found in names for name in found})
        there = np.array([[found[c] for c in classes] for found in names], dtype=np.int64)
        threshold = float(special.ndtri(recall))
        slope = math.exp(-(threshold**2) / 2) / math.sqrt(2 * math.pi)
        if study.task != "classification" and not is_proportion(study.task, study.metric):
            # F1 moves less than recall where false ones stay as they are.
            slope *= 1 - recall / 2
        shared = _correlation(threshold, recall, discordance)
        return cls(study, _entries(study), there, shared, threshold, draw_sd / slope)

    def draw(self, rng: Generator) -> tuple[Counts, NDArray[np.bool_] | None]:
        """Counts of one simulated study, and who was right where that is the metric."""
        study = self.study
        cell = np.concatenate([[i] * len(e.rows) for i, e in enumerate(self.entries)])
        at = self.threshold + self._luck(cell, rng)
        if is_proportion(study.task, study.metric):
            right = self._difficulties(cell, rng) < at
            one = np.ones((len(study.gold), 1), dtype=np.float32)
            hit = right.astype(np.float32)[:, :, None]
            counts = Counts(study.metric, hit, np.broadcast_to(one, hit.shape), one, len(one))
        elif study.task == "classification":
            counts, right = self._labels(self._difficulties(cell, rng) < at, rng), None
        else:
            counts, right = self._items(at, cell, rng), None
        if study.groups is not None:
            return counts.grouped(study.groups), None
        return counts, right

    def _luck(self, cell: NDArray[np.intp], rng: Generator) -> Array:
        """Shift of each draw: (rows, 1). Draws from one pool have a part of it in common."""
        shared = np.array([overlap(e.train_size or 0, self.study.pool) for e in self.entries])[cell]
        pool, own = rng.standard_normal(len(self.entries))[cell], rng.standard_normal(len(cell))
        luck = self.shift * (np.sqrt(shared) * pool + np.sqrt(1 - shared) * own)
        if len(self.entries[-1].rows) == 1:
            # The reference is as it is.
            luck[-1] = 0.0
        found: Array = luck[:, None]
        return found

    def _difficulties(self, cell: NDArray[np.intp], rng: Generator) -> Array:
        """Of documents: (rows, documents), standard normal."""
        documents, groups = len(self.study.gold), self.study.groups
        common = rng.standard_normal(documents)
        if groups is not None:
            patient = rng.standard_normal(int(groups.max()) + 1)[groups]
            common = np.sqrt(_PATIENT) * patient + np.sqrt(1 - _PATIENT) * common
        return self._mixed(common, cell, rng)

    def _mixed(self, common: Array, cell: NDArray[np.intp], rng: Generator) -> Array:
        """What all systems have in common, what draws of a cell have, and a draw's own."""
        cells = rng.standard_normal((len(self.entries), len(common)))[cell]
        own = rng.standard_normal((len(cell), len(common)))
        rest = (1 - self.shared) / 2
        hard: Array = np.sqrt(self.shared) * common + np.sqrt(rest) * (cells + own)
        return hard

    def _labels(self, right: NDArray[np.bool_], rng: Generator) -> Counts:
        """A wrong answer is another class, as often as gold has it."""
        gold = self.there.argmax(axis=1)
        share = np.tile(self.there.mean(axis=0), (self.there.shape[1], 1))
        np.fill_diagonal(share, 0.0)
        up_to = (share / np.maximum(share.sum(axis=1, keepdims=True), 1e-12)).cumsum(axis=1)
        other = (rng.random(right.shape)[:, :, None] > up_to[gold]).sum(axis=2)
        pred = np.where(right, gold, np.minimum(other, self.there.shape[1] - 1))
        eye = np.eye(self.there.shape[1], dtype=np.float32)
        hit = eye[pred] * eye[gold]
        return Counts(self.study.metric, hit, eye[pred], eye[gold], len(gold))

    def _items(self, at: Array, cell: NDArray[np.intp], rng: Generator) -> Counts:
        """Labels or mentions, each found or not; as many false ones as there are missed ones."""
        single = self.study.metric in ("micro_f1", "span_f1", "attribute_f1")
        there = self.there.sum(axis=1, keepdims=True) if single else self.there
        document = np.repeat(np.arange(len(there)), there.sum(axis=1))
        alone = self._mixed(rng.standard_normal(len(document)), cell, rng)
        within = self._difficulties(cell, rng)[:, document]
        hard = np.sqrt(_DOCUMENT) * within + np.sqrt(1 - _DOCUMENT) * alone
        up_to = np.zeros((len(cell), len(document) + 1), dtype=np.int64)
        np.cumsum(hard < at, axis=1, out=up_to[:, 1:])
        ends = np.concatenate([[0], there.ravel().cumsum()])
        hit = np.diff(up_to[:, ends], axis=1).reshape(len(cell), *there.shape)
        wrong = there.mean(axis=0) * (1 - special.ndtr(self.threshold))
        false = rng.poisson(wrong, hit.shape)
        hits, found, gold = (x.astype(np.float32) for x in (hit, hit + false, there))
        return Counts(self.study.metric, hits, found, gold, int(there.sum()))


def _entries(study: Study) -> list[Entry]:
    entries, row = [], 0
    for model in range(study.models):
        for size in study.sizes:
            draws = tuple(range(study.draws))
            rows = tuple(range(row, row + study.draws))
            entries.append(Entry("finetuned", f"m{model}", size, draws, rows))
            row += study.draws
    draws = tuple(range(study.reference_draws))
    rows = tuple(range(row, row + study.reference_draws))
    return [*entries, Entry("finetuned", "reference", study.sizes[-1], draws, rows)]


def _correlation(threshold: float, recall: float, discordance: float) -> float:
    """Correlation of difficulties at which two systems disagree so often; 0 if they never would."""

    def disagreement(shared: float) -> float:
        both = stats.multivariate_normal([0, 0], [[1, shared], [shared, 1]]).cdf(
            [threshold, threshold]
        )
        return float(2 * (recall - both)) - discordance

    if disagreement(0.0) <= 0:
        return 0.0
    return float(optimize.brentq(disagreement, 0.0, 0.9999))
