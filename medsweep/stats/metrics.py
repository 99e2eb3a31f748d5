"""Scores, and the counts a document contributes to them.

Every metric here is a function of counts that add up over documents. A resample of the
documents is a vector of weights, so the metric on ten thousand resamples is one matrix product
away (:func:`Counts.scores`).

Conventions, fixed so that two people get the same number:

* The classes (or entity types) are those of the **gold** values of the whole test set, as
  ``sklearn.metrics.f1_score(labels=sorted(set(gold)), zero_division=0)``. A prediction outside
  of them is wrong, but opens no new class.
* Values are compared by the rule of :func:`medsweep.stats.values.label_text`.
* ``""`` stands for an output that could not be parsed. It is wrong. In ``micro_f1`` it is a
  wrong *label*, so that abstaining never scores above guessing: ``micro_f1`` of single-label
  classification equals accuracy, as in scikit-learn over all labels.
* ``span_f1`` is strict: same offsets and same type. A span of a type that gold does not have is
  a false positive of ``span_f1`` and is outside of ``macro_span_f1``. An unparsable output
  predicts no span.
* ``attribute_f1`` counts (span, type, field, value), each to be matched exactly: of a mention that
  is missed, all its attributes are.
* Multi-label tasks are scored alike, with labels in the place of spans: ``micro_f1`` over all
  (document, label) pairs, ``macro_f1`` as the mean over gold's labels. ``exact_match`` is the
  share of documents whose set of labels is right; an unparsable output is not the empty set.
* 0/0 is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsweep.errors import ConfigError, DataError
from medsweep.stats.values import SpanKey, decode_attributes, decode_spans, label_text
from medsweep.stats.values import decode_labels as decode_labels

Array = NDArray[np.float64]
Weights = NDArray[np.float32]

METRICS: dict[str, tuple[str, ...]] = {
    "classification": ("macro_f1", "micro_f1", "accuracy"),
    "multilabel": ("micro_f1", "macro_f1", "exact_match"),
    "ner": ("span_f1", "macro_span_f1", "attribute_f1"),
}

# Proportions of documents, for which there are intervals without a bootstrap.
_PROPORTIONS = {
    ("classification", "micro_f1"),
    ("classification", "accuracy"),
    ("multilabel", "exact_match"),
}

# Resamples are scored in slices of about this many numbers, so memory stays flat.
_SLICE = 8_000_000


def check_metric(kind: str, metric: str) -> None:
    """Raise :class:`ConfigError` unless ``metric`` belongs to tasks of this ``kind``."""
    if kind not in METRICS:
        raise ConfigError(f"unknown task {kind!r}", where="task.kind", fix=_one_of(METRICS))
    if metric not in METRICS[kind]:
        raise ConfigError(
            f"{metric!r} is no metric of {kind}", where="task.metric", fix=_one_of(METRICS[kind])
        )


def is_proportion(kind: str, metric: str) -> bool:
    """Whether a metric is the share of documents that a system has right."""
    return (kind, metric) in _PROPORTIONS


def score(kind: str, gold: Sequence[str], pred: Sequence[str], metric: str) -> float:
    """The ``metric`` of predictions against gold values, in [0, 1].

    Args:
        kind: ``classification``, ``multilabel`` or ``ner``.
        gold: one value a document, as ``predictions.parquet`` holds it.
        pred: the same for the prediction; ``""`` is unparsable.
        metric: one of ``METRICS[kind]``.

    Raises:
        ConfigError: the metric does not belong to the task.
        DataError: no document, unequal lengths, or a value that is not of the task's form.
    """
    return float(count_outcomes(kind, gold, [pred], metric).scores()[0])


@dataclass(frozen=True)
class Counts:
    """What each document contributes to a metric, for several systems at once.

    Attributes:
        metric: the metric that :meth:`scores` computes.
        hit: (systems, documents, classes): true positives.
        pred: (systems, documents, classes): predicted.
        gold: (documents, classes): present.
        units: how many things are scored: documents, or gold labels or spans.

    Accuracy, exact match and micro-averages need one column in place of the classes.
    """

    metric: str
    hit: Weights
    pred: Weights
    gold: Weights
    units: int

    @property
    def systems(self) -> int:
        """Number of systems."""
        return int(self.hit.shape[0])

    @property
    def documents(self) -> int:
        """Number of documents, or of groups after :meth:`grouped`."""
        return int(self.hit.shape[1])

    def scores(self, weights: Weights | None = None) -> Array:
        """Score every system, once or under each row of document weights.

        Args:
            weights: (resamples, documents): how often each document was drawn.

        Returns:
            (systems,), or (resamples, systems) with weights.
        """
        if weights is None:
            hit, pred = self.hit.sum(axis=1, dtype=float), self.pred.sum(axis=1, dtype=float)
            return _f1(hit, pred, self.gold.sum(axis=0, dtype=float)[None, :])
        systems, documents, classes = self.hit.shape
        stacked = np.concatenate([self.hit, self.pred])
        flat = np.ascontiguousarray(stacked.transpose(1, 0, 2).reshape(documents, -1))
        out = np.empty((len(weights), systems))
        step = max(1, _SLICE // max(1, flat.shape[1]))
        for start in range(0, len(weights), step):
            part = weights[start : start + step]
            sums = (part @ flat).reshape(len(part), 2, systems, classes)
            out[start : start + step] = _f1(sums[:, 0], sums[:, 1], (part @ self.gold)[:, None, :])
        return out

    def influence(self) -> Array:
        """What each document adds to each score, to first order: (documents, systems).

        The infinitesimal jackknife (Efron and Tibshirani 1993, section 21.3): the sum of squares of
        a column is the variance of its score over documents.
        """
        hit, pred = self.hit.sum(axis=1, dtype=float), self.pred.sum(axis=1, dtype=float)
        below = pred + self.gold.sum(axis=0, dtype=float)
        each = np.divide(1.0, below, out=np.zeros_like(below), where=below > 0) / below.shape[1]
        lost = 2 * hit * each**2 * below.shape[1]
        added = np.einsum("sdc,sc->ds", self.hit, 2 * each)
        found: Array = added - np.einsum("sdc,sc->ds", self.pred, lost) - self.gold @ lost.T
        return found

    def grouped(self, groups: NDArray[np.intp]) -> Counts:
        """Add up the documents of each group; ``groups`` has a number a document, all of 0..G-1."""
        order = np.argsort(groups, kind="stable")
        first = np.searchsorted(groups[order], np.arange(int(groups.max()) + 1))

        def added(values: Weights, axis: int) -> Weights:
            return np.add.reduceat(values.take(order, axis), first, axis)

        return Counts(
            self.metric, added(self.hit, 1), added(self.pred, 1), added(self.gold, 0), self.units
        )


def _f1(hit: NDArray[np.floating], pred: NDArray[np.floating], gold: NDArray[np.floating]) -> Array:
    """Mean over the last axis of 2·hit / (pred + gold), with 0/0 = 0."""
    below = pred + gold
    f1: Array = np.divide(2 * hit, below, out=np.zeros(np.shape(below)), where=below > 0)
    mean: Array = f1.mean(axis=-1)
    return mean


def count_outcomes(
    kind: str,
    gold: Sequence[str],
    preds: Sequence[Sequence[str]],
    metric: str,
    ids: Sequence[str] | None = None,
) -> Counts:
    """Reduce gold and the predictions of several systems to :class:`Counts`.

    Args:
        kind: ``classification``, ``multilabel`` or ``ner``.
        gold: one value a document.
        preds: for each system, one value a document, in the order of ``gold``.
        metric: one of ``METRICS[kind]``.
        ids: the documents' ids, for messages.

    Raises:
        ConfigError: the metric does not belong to the task.
        DataError: no document, unequal lengths, or a malformed value.
    """
    check_metric(kind, metric)
    if not len(gold):
        raise DataError("there is no document to score", fix="give at least one")
    for pred in preds:
        if len(pred) != len(gold):
            raise DataError(
                f"{len(gold)} gold values but {len(pred)} predictions",
                fix="give one prediction for every document",
            )
    build: Callable[..., Counts] = {
        "classification": _count_labels,
        "multilabel": _count_label_sets,
        "ner": _count_spans,
    }[kind]
    return build(gold, preds, metric, ids or [str(i) for i in range(len(gold))])


def _count_labels(
    gold: Sequence[str], preds: Sequence[Sequence[str]], metric: str, ids: Sequence[str]
) -> Counts:
    gold = [label_text(value) for value in gold]
    preds = [[label_text(value) for value in pred] for pred in preds]
    for name, value in zip(ids, gold, strict=True):
        if value == "":
            raise DataError(
                "the gold label is empty", where=f"document {name}", fix="label it or leave it out"
            )
    classes = {label: i for i, label in enumerate(sorted(set(gold)))}
    truth = np.array([classes[g] for g in gold])
    guess = np.array([[classes.get(p, -1) for p in pred] for pred in preds]).reshape(-1, len(gold))
    if metric in ("accuracy", "micro_f1"):
        hit = (guess == truth).astype(np.float32)[:, :, None]
        one = np.ones((len(gold), 1), dtype=np.float32)
        return Counts(metric, hit, np.broadcast_to(one, hit.shape), one, len(gold))
    # The spare last row of the identity is the one-hot of -1, "no class".
    onehot = np.vstack([np.eye(len(classes)), np.zeros(len(classes))]).astype(np.float32)
    predicted = onehot[guess]
    return Counts(metric, predicted * onehot[truth], predicted, onehot[truth], len(gold))


def _count_label_sets(
    gold: Sequence[str], preds: Sequence[Sequence[str]], metric: str, ids: Sequence[str]
) -> Counts:
    if metric != "exact_match":
        return _count_items(
            gold, preds, metric, ids, decode_labels, str if metric == "macro_f1" else None
        )
    truth = [decode_labels(v, f"document {name}: gold") for name, v in zip(ids, gold, strict=True)]
    right = [
        [
            value != "" and decode_labels(value, f"document {name}: pred") == labels
            for name, value, labels in zip(ids, pred, truth, strict=True)
        ]
        for pred in preds
    ]
    hit = np.array(right, dtype=np.float32).reshape(-1, len(gold), 1)
    one = np.ones((len(gold), 1), dtype=np.float32)
    return Counts(metric, hit, np.broadcast_to(one, hit.shape), one, len(gold))


def _count_spans(
    gold: Sequence[str], preds: Sequence[Sequence[str]], metric: str, ids: Sequence[str]
) -> Counts:
    if metric == "attribute_f1":
        return _count_items(gold, preds, metric, ids, decode_attributes, None)
    by_type = _type_of if metric == "macro_span_f1" else None
    return _count_items(gold, preds, metric, ids, decode_spans, by_type)


def _type_of(span: SpanKey) -> str:
    return span[1]


def _count_items(
    gold: Sequence[str],
    preds: Sequence[Sequence[str]],
    metric: str,
    ids: Sequence[str],
    items_of: Callable[[str, str], frozenset[Any]],
    class_of: Callable[[Any], str] | None,
) -> Counts:
    """Counts of the things that a document has several of.

    Args:
        gold, preds, metric, ids: as in :func:`count`.
        items_of: parses a value.
        class_of: of an item, for an average over classes; None counts all items together.
    """
    truth = [items_of(v, f"document {name}: gold") for name, v in zip(ids, gold, strict=True)]
    names = sorted({class_of(item) for items in truth for item in items}) if class_of else []
    classes = {name: i for i, name in enumerate(names)}
    width = max(1, len(classes))

    def column(item: Any) -> int | None:
        return classes.get(class_of(item)) if class_of else 0

    hit = np.zeros((len(preds), len(gold), width), dtype=np.float32)
    found = np.zeros_like(hit)
    there = np.zeros((len(gold), width), dtype=np.float32)
    for d, items in enumerate(truth):
        for item in items:
            there[d, column(item)] += 1
    for s, pred in enumerate(preds):
        for d, value in enumerate(pred):
            if value == "":
                continue
            for item in items_of(value, f"document {ids[d]}: pred"):
                at = column(item)
                if at is not None:
                    found[s, d, at] += 1
                    hit[s, d, at] += item in truth[d]
    return Counts(metric, hit, found, there, int(there.sum()))


def _one_of(names: Sequence[str] | dict[str, tuple[str, ...]]) -> str:
    return "choose one of " + ", ".join(names)
