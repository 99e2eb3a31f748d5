"""Sweeps whose truth is known: test documents, a reference and cells with a given population score.

A system answers a document rightly where a standard normal difficulty lies below its threshold for
the document's class; difficulties are shared by all systems, by the draws of a cell, or a draw's
own. Each draw's thresholds are shifted by a normal amount. The population score is the metric of
the expected counts, averaged over the shifts, and thresholds are solved for it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from medsweep.stats.frame import Entry
from medsweep.stats.metrics import Counts

Array = NDArray[np.float64]

PRIORS = (0.55, 0.30, 0.10, 0.05)
# Rare classes are harder.
OFFSETS = (0.2, 0.0, -0.3, -0.5)
SPANS, EXTRA = 4.0, 0.15
SHARED, WITHIN = 0.5, 0.2
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
_NODE_WEIGHTS = _NODE_WEIGHTS / _NODE_WEIGHTS.sum()


@dataclass(frozen=True)
class Scenario:
    """A kind of sweep.

    Attributes:
        name: of its row.
        metric: accuracy, macro_f1 or span_f1.
        documents: in the test set.
        draws: of every cell.
        sd: standard deviation of the true score between draws, at the smallest size.
        models: candidate models.
        sizes: training sizes of each model.
        slope: power of n with which the *variance* between draws falls.
        uneven: factor between the draw SDs of the least and the most stable model.
        unstable: factor of the first model's SD, or of every model's at the smallest size.
        reference: the reference's true score.
        loss: how far below it every cell's true score lies.
        priors: of the classes.
        one_class: the class that takes the whole loss, -1 for all of them.
        group: documents of one patient; several are the sizes of patients, in turn.
        clustered: share of a system's own difficulties that a patient's documents share.
        whole_groups: whether the loss is of whole patients.
        reference_draws: more than one: the reference is trained too, with the same sd.
        pool: documents that draws are taken from; 0 for endlessly many.
        collapse: chance that a draw answers with the majority class throughout.
        heavy: whether mentions are spread over documents with a heavy tail.
        margin: of the test.
        alpha: of the test.
    """

    name: str
    metric: str
    documents: int = 500
    draws: int = 3
    sd: float = 0.03
    models: int = 4
    sizes: tuple[int, ...] = (50, 200)
    slope: float = -0.5
    uneven: float = 1.0
    unstable: str = ""
    reference: float = 0.85
    loss: float = 0.05
    priors: tuple[float, ...] = PRIORS
    one_class: int = -1
    group: int | tuple[int, ...] = 1
    clustered: float = 0.0
    whole_groups: bool = False
    reference_draws: int = 1
    pool: int = 0
    collapse: float = 0.0
    heavy: bool = False
    margin: float = 0.05
    alpha: float = 0.05

    def sd_of(self, model: int, size: int) -> float:
        """Between the draws of a cell."""
        factor = np.geomspace(self.uneven**-0.5, self.uneven**0.5, self.models)[model]
        if (self.unstable == "model" and model == 0) or (
            self.unstable == "smallest" and size == self.sizes[0]
        ):
            factor *= 10
        return round(self.sd * float(factor) * (size / self.sizes[0]) ** (self.slope / 2), 6)

    @property
    def offsets(self) -> Array:
        """Thresholds of the classes."""
        own = OFFSETS if self.priors == PRIORS else np.linspace(0.2, -0.5, len(self.priors))
        return np.array(own)

    def groups(self) -> NDArray[np.intp] | None:
        """Group number of each document."""
        if self.group == 1:
            return None
        sizes = (self.group,) if isinstance(self.group, int) else self.group
        number = -(-self.documents // sum(sizes)) * len(sizes)
        each = np.resize(np.array(sizes), number)
        return np.repeat(np.arange(number), each)[: self.documents]


def confusion(priors: tuple[float, ...]) -> Array:
    """(gold, pred): where wrong answers go, by prior."""
    share = np.tile(np.array(priors), (len(priors), 1))
    np.fill_diagonal(share, 0)
    return share / share.sum(axis=1, keepdims=True)


def population_score(s: Scenario, threshold: Array) -> Array:
    """The metric of the expected counts for thresholds (…, classes)."""
    right = special.ndtr(np.asarray(threshold, dtype=float) + s.offsets)
    priors = np.array(s.priors)
    if s.metric == "span_f1":
        found = special.ndtr(threshold[..., 0])
        return 2 * found / (found + EXTRA + 1)
    if s.metric == "accuracy":
        return right @ priors
    wrong = priors[:, None] * (1 - right[..., :, None]) * confusion(s.priors)
    predicted = priors * right + wrong.sum(axis=-2)
    return (2 * priors * right / (priors + predicted)).mean(axis=-1)


@functools.cache
def solve(s: Scenario, base: float, one_class: int, mean: float, sd: float) -> tuple[float, float]:
    """Threshold and shift SD of a cell whose draws score ``mean`` ± ``sd`` in the population.

    With ``one_class`` the thresholds of all others stay at ``base``.
    """
    way = _direction(s, one_class)

    def moments(t: float, shift: float) -> tuple[float, float]:
        scores = population_score(s, base + (t + shift * _NODES)[:, None] * way)
        centre = float(scores @ _NODE_WEIGHTS)
        return centre, float(np.sqrt(((scores - centre) ** 2) @ _NODE_WEIGHTS))

    def centred(shift: float) -> float:
        return float(optimize.brentq(lambda t: moments(t, shift)[0] - mean, -5, 7))

    if sd == 0:
        return centred(0.0), 0.0
    shift = float(optimize.brentq(lambda x: moments(centred(x), x)[1] - sd, 1e-6, 2.0))
    return centred(shift), shift


def _direction(s: Scenario, one_class: int) -> Array:
    way = np.ones(len(s.priors))
    return way if one_class < 0 else np.eye(len(s.priors))[one_class]


class Simulator:
    """Draws the counts of one sweep after another."""

    def __init__(self, scenario: Scenario, rng: np.random.Generator) -> None:
        self.scenario, self.rng = scenario, rng
        s = replace(scenario, name="", group=1, documents=0)
        # A collapsed draw has the majority's score, so that the others are better than the mean.
        lost = scenario.collapse
        mean = s.reference - (0.0 if s.whole_groups else s.loss)
        if lost:
            mean = (mean - lost * self.majority) / (1 - lost)
        ref, ref_shift = solve(s, 0.0, -1, s.reference, s.sd if s.reference_draws > 1 else 0.0)
        base = ref if s.one_class >= 0 else 0.0
        self.entries: list[Entry] = []
        levels: list[tuple[float, float, float, float]] = []
        row = 0
        for m in range(s.models):
            for n in s.sizes:
                at, shift = solve(s, base, s.one_class, mean, scenario.sd_of(m, n))
                overlap = min(n / s.pool, 1.0) if s.pool else 0.0
                levels += [(base, at, shift, overlap)] * s.draws
                rows = tuple(range(row, row + s.draws))
                self.entries.append(Entry("finetuned", f"m{m}", n, tuple(range(s.draws)), rows))
                row += s.draws
        rows = tuple(range(row, row + s.reference_draws))
        self.reference = Entry("finetuned", "ref", 400, tuple(range(s.reference_draws)), rows)
        levels += [(0.0, ref, ref_shift, 0.0)] * s.reference_draws
        self.entries.append(self.reference)
        self.systems = row + s.reference_draws
        self.cell = np.concatenate([[i] * len(e.rows) for i, e in enumerate(self.entries)])
        self.base, self.threshold, self.shift, self.overlap = np.array(levels).T
        self.way = np.tile(_direction(s, s.one_class), (self.systems, 1))
        self.way[list(self.reference.rows)] = 1.0
        self.groups = scenario.groups()

    @property
    def majority(self) -> float:
        """Score of the majority class throughout."""
        s = self.scenario
        most = max(s.priors)
        f1 = 2 * most / (1 + most) / len(s.priors)
        return {"accuracy": most, "macro_f1": f1, "span_f1": 0.0}[s.metric]

    def draw(self) -> tuple[Counts, NDArray[np.bool_] | None]:
        """The counts of one sweep, and who was right where that is the metric."""
        s, rng = self.scenario, self.rng
        pool = rng.standard_normal(len(self.entries))[self.cell]
        own = rng.standard_normal(self.systems)
        luck = np.sqrt(self.overlap) * pool + np.sqrt(1 - self.overlap) * own
        at = self.base[:, None] + (self.threshold + self.shift * luck)[:, None] * self.way
        counts, right = (self._spans(at), None) if s.metric == "span_f1" else self._labels(at)
        if self.groups is not None:
            return counts.grouped(self.groups), None
        return counts, right

    def likeness(self) -> tuple[float, float]:
        """Share of documents (or mentions) that the first cell has right, and that differ.

        One draw of the first cell against the reference, of one sweep.
        """
        s, rng = self.scenario, self.rng
        rows = [0, self.reference.rows[0]]
        luck = rng.standard_normal(2)[:, None] * self.shift[rows][:, None]
        at = self.base[rows][:, None] + (self.threshold[rows][:, None] + luck) * self.way[rows]
        if s.metric == "span_f1":
            spread = 1.2 if s.heavy else 0.7
            easy = at[:, :1] * np.sqrt(1 + spread**2) + spread * self._latent()[rows]
            ours, theirs = special.ndtr(easy)
            return float(ours.mean()), float((ours + theirs - 2 * ours * theirs).mean())
        gold = rng.choice(len(s.priors), s.documents, p=np.array(s.priors))
        right = self._latent()[rows] < (at + s.offsets)[:, gold]
        return float(right.mean()), float((right[0] != right[1]).mean())

    def _latent(self) -> Array:
        """Standard normal difficulty of each document for each system, correlated."""
        s, rng, n = self.scenario, self.rng, self.scenario.documents
        shared = rng.standard_normal(n)
        cells = rng.standard_normal((len(self.entries), n), dtype=np.float32)
        if self.groups is not None:
            patients = int(self.groups.max()) + 1
            shared = np.sqrt(0.5) * (shared + rng.standard_normal(patients)[self.groups])
            alike = rng.standard_normal((len(self.entries), patients))[:, self.groups]
            cells = np.sqrt(s.clustered) * alike + np.sqrt(1 - s.clustered) * cells
        own = rng.standard_normal((self.systems, n), dtype=np.float32)
        return (
            np.sqrt(SHARED) * shared
            + np.sqrt(WITHIN) * cells[self.cell]
            + np.sqrt(1 - SHARED - WITHIN) * own
        )

    def _labels(self, at: Array) -> tuple[Counts, NDArray[np.bool_] | None]:
        s, rng = self.scenario, self.rng
        classes = len(s.priors)
        gold = rng.choice(classes, s.documents, p=np.array(s.priors))
        right = self._latent() < (at + s.offsets)[:, gold]
        if s.whole_groups:
            right = self._lose_patients(right)
        cumulative = confusion(s.priors).cumsum(axis=1)[gold]
        other = (rng.random((self.systems, s.documents))[:, :, None] > cumulative).sum(axis=2)
        pred = np.where(right, gold, np.minimum(other, classes - 1))
        if s.collapse:
            gone = (rng.random(self.systems) < s.collapse) & (self.cell < len(self.entries) - 1)
            pred = np.where(gone[:, None], 0, pred)
            right = pred == gold
        if s.metric == "accuracy":
            one = np.ones((s.documents, 1), dtype=np.float32)
            hit = right.astype(np.float32)[:, :, None]
            return Counts("accuracy", hit, np.broadcast_to(one, hit.shape), one, s.documents), right
        # As in medsweep: the classes are those of this test set's gold values.
        eye = np.eye(classes, dtype=np.float32)[:, np.unique(gold)]
        return Counts("macro_f1", eye[pred] * eye[gold], eye[pred], eye[gold], s.documents), None

    def _lose_patients(self, right: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Cells are right where the reference is, but for whole patients."""
        s, rng = self.scenario, self.rng
        assert self.groups is not None
        lost = rng.random((len(self.entries), int(self.groups.max()) + 1)) < s.loss / s.reference
        lost[-1] = False
        return right[self.reference.rows[0]] & ~lost[self.cell][:, self.groups]

    def _spans(self, at: Array) -> Counts:
        s, rng = self.scenario, self.rng
        shape, spread = (0.3, 1.2) if s.heavy else (2.0, 0.7)
        there = rng.negative_binomial(shape, shape / (shape + SPANS), s.documents)
        # Documents differ in difficulty, by system and shared; the mean over them is ndtr(at).
        easy = at[:, :1] * np.sqrt(1 + spread**2) + spread * self._latent()
        hit = rng.binomial(there, special.ndtr(easy))
        extra = rng.poisson(SPANS * EXTRA, hit.shape)
        as_counts = [x.astype(np.float32)[..., None] for x in (hit, hit + extra, there)]
        return Counts("span_f1", *as_counts, int(there.sum()))
