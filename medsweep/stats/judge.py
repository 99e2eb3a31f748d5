"""What a difference to the reference is worth: its error over documents and draws, its bound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from medsweep.stats import bootstrap, intervals, variance
from medsweep.stats.frame import Entry, Panel
from medsweep.stats.metrics import Counts, count, is_proportion

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
    """

    counts: Counts
    right: NDArray[np.bool_] | None
    scores: Array
    replicates: Array
    pooled: Mapping[Key, tuple[float, float]]
    spreads: Mapping[Key, variance.DrawSpread]
    without: Array | None = None

    @classmethod
    def gather(cls, panel: Panel, task: str, metric: str, resamples: int, seed: int) -> Evidence:
        """Score and resample every system of the panel."""
        counts = count(task, panel.gold.tolist(), panel.preds.tolist(), metric, panel.ids)
        single = is_proportion(task, metric) and panel.groups is None
        right = counts.hit[:, :, 0] > 0 if single else None
        if panel.groups is not None:
            counts = counts.grouped(panel.groups)
        rng = np.random.default_rng(seed)
        weights = bootstrap.resample(counts.documents, resamples, rng)
        return cls.measure(counts, panel.entries, weights, right)

    @classmethod
    def measure(
        cls,
        counts: Counts,
        entries: list[Entry],
        weights: NDArray[np.float32],
        right: NDArray[np.bool_] | None = None,
    ) -> Evidence:
        """Score every system on the documents and under each row of bootstrap weights."""
        scores, replicates = counts.scores(), counts.scores(weights)
        spreads = {
            key_of(e): variance.draw_spread(scores[list(e.rows)], replicates[:, list(e.rows)])
            for e in entries
        }
        few = counts.documents <= MANY
        without = bootstrap.jackknife(counts) if few else None
        return cls(counts, right, scores, replicates, _pool(entries, spreads), spreads, without)

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

    def score_df(self, entry: Entry) -> float:
        """Degrees of freedom of the variance over documents of a score: few if few decide it."""
        if self.without is None:
            return self.counts.documents - 1.0
        return variance.jackknife_df(self.without[:, list(entry.rows)].mean(axis=1))

    def between(self, entry: Entry) -> tuple[float, float]:
        """Variance of the entry's mean that its draws add, and its degrees of freedom."""
        total, df = self.pooled[key_of(entry)]
        return total / len(entry.rows), df

    def documents_within(self, entry: Entry) -> float:
        """Part of :meth:`between` that documents alone explain."""
        return self.spreads[key_of(entry)].documents / len(entry.rows)


def key_of(entry: Entry) -> Key:
    """What tells entries apart: arm, model, training size."""
    return entry.arm, entry.model, entry.train_size


def _pool(
    entries: list[Entry], spreads: Mapping[Key, variance.DrawSpread]
) -> dict[Key, tuple[float, float]]:
    """Pool the between-draw variance over the cells of each arm."""
    pooled = {}
    for arm in {e.arm for e in entries}:
        cells = [e for e in entries if e.arm == arm]
        observed = np.array([spreads[key_of(e)].total for e in cells])
        df = np.array([len(e.draws) - 1 for e in cells], dtype=float)
        size = np.array([max(1, e.train_size or 1) for e in cells], dtype=float)
        shared, worth = variance.pool(observed, df, size)
        for e, v, f in zip(cells, shared, worth, strict=True):
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

    @property
    def _difference_df(self) -> float:
        """Degrees of freedom of the variance over documents of a difference."""
        return max(1.0, self.evidence.counts.documents - 1.0)

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
        common = ev.variance(ev.mean_replicates(entry) - ev.mean_replicates(self.reference))
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
        dfs = [self._difference_df, *dfs]
        floor = variance.least_variance(self.margin, ev.counts.units)
        error = np.array(parts), np.array(dfs)
        width = float(variance.half_width(*error, self.alpha, floor))
        p = float(variance.p_value(diff + self.margin, *error, floor))
        draws = max(sum(parts[1:]) - within, 0.0)
        return Bound(diff, diff - width, p, max(sum(parts) - draws, floor), draws)

    def score_interval(self, entry: Entry) -> tuple[float, float]:
        """Two-sided 1 − alpha interval of the entry's score, over documents and draws."""
        ev = self.evidence
        score = ev.mean(entry)
        replicates = ev.mean_replicates(entry)
        # F-scores of few documents are too low in the mean, and their replicates lower still.
        unbiased = min(max(2 * score - float(replicates.mean()), 0.0), 1.0)
        parts, dfs = [ev.variance(replicates)], [ev.score_df(entry)]
        if len(entry.draws) > 1:
            between, df = ev.between(entry)
            parts = [max(parts[0] - ev.documents_within(entry), 0.0), between]
            dfs.append(df)
        total = sum(parts)
        width = float(variance.half_width(np.array(parts), np.array(dfs), self.alpha / 2))
        quantile = width / math.sqrt(total) if total > 0 else stats.norm.isf(self.alpha / 2)
        low, high = intervals.wilson(unbiased, total, ev.counts.documents, quantile)
        return float(low), float(high)
