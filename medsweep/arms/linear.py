"""Logistic regression over features, also where training shows one class or none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medsweep.arms._base import ArmOptions
from medsweep.corpus import Document
from medsweep.tasks import Task
from medsweep.tasks.multilabel import likely_labels
from medsweep.tasks.prediction import Prediction

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

# Inverse strengths of the penalty to choose from, and the parts of training that choose.
STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)
FOLDS = 5
# Enough for lbfgs on every ladder seen; a warning of no convergence would be an error in tests.
MAX_ITER = 10_000


class LinearArm(ABC):
    """Features of whole documents, or of words (NER), and logistic regression over them."""

    trains = True

    def __init__(self, task: Task, _options: ArmOptions) -> None:
        self._task = task

    def predict(
        self,
        train: Sequence[Document],
        test: Sequence[Document],
        *,
        seed: int,  # noqa: ARG002 - lbfgs has no randomness
    ) -> list[Prediction]:
        """Fit on the features of ``train`` and predict."""
        return (self._tag if self._task.kind == "ner" else self._classify)(train, test)

    @abstractmethod
    def _classify(self, train: Sequence[Document], test: Sequence[Document]) -> list[Prediction]:
        """A label, or labels, of each document of ``test``."""

    @abstractmethod
    def _tag(self, train: Sequence[Document], test: Sequence[Document]) -> list[Prediction]:
        """Mentions in each document of ``test``."""


def class_probabilities(
    train: Any,
    targets: Sequence[int],
    test: Any,
    classes: int,
    *,
    balanced: bool,
    c: float | None = None,
    tol: float = 1e-4,
) -> NDArray[np.float64]:
    """Probabilities of ``test`` rows, (rows, classes), by a regression fitted on ``train`` rows.

    A class that training does not show gets 0; with one class shown it is certain, with none
    all are equally likely.

    Args:
        train: (n, features), dense or sparse.
        targets: n class indices.
        test: (m, features).
        classes: number of classes.
        balanced: weight classes inversely to their frequency.
        c: inverse strength of the L2 penalty; None takes what cross-validation within ``train``
            finds likeliest.
        tol: of lbfgs.
    """
    rows = test.shape[0]
    present = sorted(set(targets))
    if len(present) < 2 or not rows:
        result = np.full((rows, classes), 0.0 if present else 1 / classes)
        result[:, present] = 1.0
        return result
    gold = np.asarray(targets)
    if c is None:
        c = likeliest_strength(train, gold, balanced=balanced)
    model = _regression(c, balanced, tol).fit(train, gold)
    result = np.zeros((rows, classes))
    result[:, model.classes_] = model.predict_proba(test)
    return result


def likeliest_strength(train: Any, gold: NDArray[np.int64], *, balanced: bool) -> float:
    """The C under which held-out fifths of training are likeliest; the least of equal ones.

    Without randomness: documents are dealt to the folds class by class. 1, which is scikit-learn's
    own, where training has fewer than two documents of any two classes.

    Args:
        train: (n, features), dense or sparse.
        gold: (n,) class indices.
        balanced: weight classes inversely to their frequency.
    """
    if (np.bincount(gold) > 1).sum() < 2:
        return 1.0
    fold = np.empty(len(gold), dtype=np.int64)
    fold[np.argsort(gold, kind="stable")] = np.arange(len(gold)) % FOLDS
    likelihoods = dict.fromkeys(STRENGTHS, 0.0)
    for held_out in range(FOLDS):
        rest, part = fold != held_out, fold == held_out
        if len(set(gold[rest])) < 2 or not part.any():
            continue
        for c in STRENGTHS:
            # Which C is best shows long before the weights stand still.
            model = _regression(c, balanced, tol=1e-2).fit(train[rest], gold[rest])
            known = np.isin(gold[part], model.classes_)
            columns = np.searchsorted(model.classes_, gold[part][known])
            rows = model.predict_proba(train[part])[known]
            likelihoods[c] += float(np.log(rows[np.arange(len(rows)), columns] + 1e-12).sum())
    return max(STRENGTHS, key=lambda c: (likelihoods[c], -c))


def _regression(c: float, balanced: bool, tol: float) -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    weights = "balanced" if balanced else None
    return LogisticRegression(C=c, class_weight=weights, max_iter=MAX_ITER, tol=tol)


def labelled(task: Task, documents: Sequence[Document]) -> list[Document]:
    """The documents that a linear model of whole documents can learn from."""
    if task.kind == "multilabel":
        return [d for d in documents if d.labels is not None]
    return [d for d in documents if d.label in task.labels]


def classify(
    task: Task,
    train: Sequence[Document],
    train_features: Any,
    test: Sequence[Document],
    test_features: Any,
) -> list[Prediction]:
    """Each document's likeliest class; or its likely labels, by a regression for each of them.

    Args:
        task: classification or multi-label.
        train: n documents with gold, see :func:`labelled`.
        train_features: (n, features).
        test: m documents.
        test_features: (m, features).
    """
    labels = task.labels
    if task.kind == "multilabel":
        columns = [
            class_probabilities(
                train_features,
                [int(name in (d.labels or ())) for d in train],
                test_features,
                2,
                balanced=True,
            )[:, 1]
            for name in labels
        ]
        rows = np.array(columns).reshape(len(labels), len(test)).T
        return [likely_labels(d.id, labels, row) for d, row in zip(test, rows, strict=True)]
    targets = [labels.index(d.label or "") for d in train]
    probabilities = class_probabilities(
        train_features, targets, test_features, len(labels), balanced=True
    )
    return [
        Prediction(
            d.id,
            label=labels[int(row.argmax())],
            scores=dict(zip(labels, row.tolist(), strict=True)),
        )
        for d, row in zip(test, probabilities, strict=True)
    ]
