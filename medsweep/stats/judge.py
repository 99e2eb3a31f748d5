"""What a difference to the reference is worth: its error over documents and draws, its bound."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from medsweep.stats import bootstrap, intervals, variance
from medsweep.stats.frame import Entry, Panel
from medsweep.stats.metrics import Counts, count_outcomes, is_proportion

Array = NDArray[np.float64]
Key = tuple[str, str | None, int | None]

# From so many documents on, the variance over them is taken as known: to leave out each of them
# costs their square.
MANY = 2000


@dataclass(frozen=True)
class Evidence:
    """Scores of every system, on the test set and on its resamples.

    Attributes:
        counts: what each document (or group) contributes.
        right: (systems, documents): right or wrong, where the metric is that and documents stand
            alone; else ``None``.
        scores: (systems,).
        replicates: (resamples, systems).
        pooled: for each entry with draws, the variance between single draws after pooling over
            the cells of its arm, and its degrees of freedom.
        spreads: for each entry, the spread that was seen between its draws.
        without: (documents, systems): scores with each document (or group) left out; None for
            so many that their variance is known well.
        pool: documents that training sets are drawn from, if that is known.
        units: what independent things are scored: documents, labels or mentions, or as many groups
            of equal size as the groups are worth.
        grouped: whether what is resampled are groups.
    """

    counts: Counts
    right: NDArray[np.bool_] | None
    scores: Array
    replicates: Array
    pooled: Mapping[Key, tuple[float, float]]
    spreads: Mapping[Key, variance.DrawSpread]
    without: Array | None = None
    pool: int | None = None
    units: float = 1.0
    grouped: bool = False

    @classmethod
    def gather(
        cls,
        panel: Panel,
        task: str,
        metric: str,
        resamples: int,
        seed: int,
        pool: int | None = None,
    ) -> Evidence:
        """Score and resample every system of the panel."""
        counts = count_outcomes(task, panel.gold.tolist(), panel.preds.tolist(), metric, panel.ids)
        single = is_proportion(task, metric) and panel.groups is None
        right = counts.hit[:, :, 0] > 0 if single else None
        grouped = panel.groups is not None
        if panel.groups is not None:
            counts = counts.grouped(panel.groups)
        rng = np.random.default_rng(seed)
        weights = bootstrap.resample_in_parts(counts.documents, resamples, rng)
        return cls.measure(counts, panel.entries, weights, right, pool, grouped=grouped)

    @classmethod
    def measure(
        cls,
        counts: Counts,
        entries: list[Entry],
        weights: Iterable[NDArray[np.float32]],
        right: NDArray[np.bool_] | None = None,
        pool: int | None = None,
        *,
        grouped: bool = False,
    ) -> Evidence:
        """Score every system on the documents and under each row of bootstrap weights.

        Args:
            counts: of every system.
            entries: whose rows they are.
            weights: parts (resamples, documents): how often each was drawn.
            right: see :class:`Evidence`.
            pool: documents that training sets are drawn from.
            grouped: whether what is resampled are groups.
        """
        without = bootstrap.jackknife(counts) if counts.documents <= MANY else None
        replicates = bootstrap.replicate(counts, weights)
        return cls._gathered(counts, entries, replicates, without, right, pool, grouped)

    @classmethod
    def approximate(
        cls,
        counts: Counts,
        entries: list[Entry],
        right: NDArray[np.bool_] | None = None,
        pool: int | None = None,
        *,
        grouped: bool = False,
    ) -> Evidence:
        """The same without resampling, for the many studies of a simulation.

        In place of replicates stand as many points as documents, of which variances and covariances
        are those that the bootstrap has to first order.
        """
        scores, influence = counts.scores(), counts.influence()
        spread = scores + math.sqrt(counts.documents) * influence
        without = scores - influence
        return cls._gathered(counts, entries, spread, without, right, pool, grouped)

    @classmethod
    def _gathered(
        cls,
        counts: Counts,
        entries: list[Entry],
        replicates: Array,
        without: Array | None,
        right: NDArray[np.bool_] | None,
        pool: int | None,
        grouped: bool,
    ) -> Evidence:
        scores = counts.scores()
        seen = {
            key_of(e): variance.draw_spread(scores[list(e.rows)], replicates[:, list(e.rows)])
            for e in entries
        }
        spreads = {
            key_of(e): variance.from_finite_pool(seen[key_of(e)], e.train_size or 0, pool)
            for e in entries
        }
        units = float(counts.units)
        if grouped:
            units = variance.effective_units(counts.gold.sum(axis=1, dtype=float))
        return cls(
            counts,
            right,
            scores,
            replicates,
            _pool(entries, spreads, pool),
            spreads,
            without,
            pool,
            units,
            grouped,
        )

    def mean(self, entry: Entry) -> float:
        """The entry's score: the mean over its draws."""
        return float(self.scores[list(entry.rows)].mean())

    def mean_replicates(self, entry: Entry) -> Array:
        """The same on the resamples: (resamples,)."""
        mean: Array = self.replicates[:, list(entry.rows)].mean(axis=1)
        return mean

    def variance(self, replicates: Array) -> float:
        """Bootstrap variance, unbiased for the number of documents or groups."""
        units = self.counts.documents
        return float(replicates.var() * units / max(1, units - 1))

    def over_documents(self, entry: Entry, other: Entry | None = None) -> tuple[float, float]:
        """Variance over documents of a score, or of entry − other, and its degrees of freedom.

        They are few where few documents or groups decide.
        """
        replicates = self.mean_replicates(entry)
        if other is not None:
            replicates = replicates - self.mean_replicates(other)
        total = self.variance(replicates)
        if self.without is None:
            return total, self.counts.documents - 1.0
        without = self.without[:, list(entry.rows)].mean(axis=1)
        if other is not None:
            without = without - self.without[:, list(other.rows)].mean(axis=1)
        if self.grouped:
            total = max(total, variance.jackknife_variance(without))
        return total, variance.jackknife_df(without)

    def between(self, entry: Entry) -> tuple[float, float]:
        """Variance of the entry's mean that its draws add, and its degrees of freedom.

        Draws from one pool have what is peculiar to it in common, which their mean does not lose.
        """
        total, df = self.pooled[key_of(entry)]
        excess = max(total - self.spreads[key_of(entry)].documents, 0.0)
        common = (len(entry.rows) - 1) * variance.overlap(entry.train_size or 0, self.pool)
        return (total + excess * common) / len(entry.rows), df

    def documents_within(self, entry: Entry) -> float:
        """Part of :meth:`between` that documents alone explain."""
        return self.spreads[key_of(entry)].documents / len(entry.rows)


def key_of(entry: Entry) -> Key:
    """What tells entries apart: arm, model, training size."""
    return entry.arm, entry.model, entry.train_size


def _pool(
    entries: list[Entry], spreads: Mapping[Key, variance.DrawSpread], pool: int | None
) -> dict[Key, tuple[float, float]]:
    """Pool the between-draw variance over the cells of each arm.

    The larger of a cell's pooled and its own variance is taken: stable cells say nothing for an
    unstable one among them.
    """
    pooled = {}
    for arm in {e.arm for e in entries}:
        cells = [e for e in entries if e.arm == arm]
        observed = np.array([spreads[key_of(e)].total for e in cells])
        df = np.array([len(e.draws) - 1 for e in cells], dtype=float)
        size = np.array([max(1, e.train_size or 1) for e in cells], dtype=float)
        # Draws of the whole pool differ by their seeds alone.
        lends = size < (pool or np.inf)
        shared, worth = variance.pool(observed, df, size, lends=lends)
        larger = np.maximum(shared, observed)
        for e, v, f in zip(cells, larger, worth, strict=True):
            pooled[key_of(e)] = (float(v), float(f)) if len(e.draws) > 1 else (0.0, 1.0)
    return pooled


@dataclass(frozen=True)
class Bound:
    """A difference, its one-sided lower bound and p-value, and its variance in parts."""

    diff: float
    lower: float
    p_value: float
    document_variance: float
    draw_variance: float


@dataclass(frozen=True)
class Judge:
    """Compares entries with the reference."""

    evidence: Evidence
    reference: Entry
    margin: float
    alpha: float

    def against(self, other: Entry, margin: float) -> Bound:
        """Reference − ``other``, with the p-value of (reference − other) ≤ −margin."""
        judge = Judge(self.evidence, other, margin, self.alpha)
        return judge.labels_claim(self.reference) or judge.adapter_claim(self.reference)

    def labels_claim(self, entry: Entry) -> Bound | None:
        """The claim that n labels are enough: documents and draws. ``None`` with one draw."""
        return None if len(entry.draws) < 2 else self.compare(entry)

    def adapter_claim(self, entry: Entry) -> Bound:
        """The claim that the first draw's adapter matches: documents are the only sampling."""
        one = Entry(entry.arm, entry.model, entry.train_size, entry.draws[:1], entry.rows[:1])
        right, rows = self.evidence.right, self.reference.rows
        if right is None or len(rows) > 1:
            return self.compare(one)
        ours, theirs = right[one.rows[0]], right[rows[0]]
        better, worse, n = int((ours & ~theirs).sum()), int((~ours & theirs).sum()), len(ours)
        z = intervals.tango_statistic(better, worse, n, -self.margin)
        return Bound(
            diff=(better - worse) / n,
            lower=intervals.tango(better, worse, n, 2 * self.alpha).low,
            p_value=float(stats.norm.sf(z)),
            document_variance=(better + worse - (better - worse) ** 2 / n) / n**2,
            draw_variance=0.0,
        )

    def compare(self, entry: Entry) -> Bound:
        """Difference to the reference over documents, and over draws where there are several."""
        ev = self.evidence
        diff = ev.mean(entry) - ev.mean(self.reference)
        if key_of(entry) == key_of(self.reference) and len(entry.draws) == len(
            self.reference.draws
        ):
            return Bound(0.0, 0.0, 0.0, 0.0, 0.0)
        common, freedom = ev.over_documents(entry, self.reference)
        parts: list[float] = []
        dfs: list[float] = []
        within = 0.0
        for side in (entry, self.reference):
            if len(side.draws) > 1:
                between, df = ev.between(side)
                if side is entry:
                    null = ev.mean(self.reference) - self.margin
                    own = (len(entry.draws) - 1) / df
                    between *= variance.at_null(ev.mean(entry), null, own)
                parts.append(between)
                dfs.append(df)
                within += ev.documents_within(side)
        parts = [max(common - within, 0.0), *parts]
        dfs = [freedom, *dfs]
        floor = variance.least_variance(abs(self.margin), ev.units)
        error = np.array(parts), np.array(dfs)
        width = float(variance.half_width(*error, self.alpha, floor))
        p = variance.one_sided_p(diff + self.margin, *error, floor)
        draws = max(sum(parts[1:]) - within, 0.0)
        return Bound(diff, diff - width, p, max(sum(parts) - draws, floor), draws)

    def score_interval(self, entry: Entry) -> tuple[float, float]:
        """Two-sided 1 − alpha interval of the entry's score, over documents and draws."""
        ev = self.evidence
        score = ev.mean(entry)
        replicates = ev.mean_replicates(entry)
        # F-scores of few documents are too low in the mean, and their replicates lower still.
        unbiased = min(max(2 * score - float(replicates.mean()), 0.0), 1.0)
        common, freedom = ev.over_documents(entry)
        parts, dfs = [common], [freedom]
        if len(entry.draws) > 1:
            between, df = ev.between(entry)
            parts = [max(common - ev.documents_within(entry), 0.0), between]
            dfs.append(df)
        total = sum(parts)
        width = float(variance.half_width(np.array(parts), np.array(dfs), self.alpha / 2))
        quantile = width / math.sqrt(total) if total > 0 else stats.norm.isf(self.alpha / 2)
        low, high = intervals.wilson(unbiased, total, ev.counts.documents, quantile)
        return float(low), float(high)
