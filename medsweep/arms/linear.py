"""Logistic regression over features, also where training shows one class or none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsweep.arms._base import ArmOptions
from medsweep.corpus import Document
from medsweep.tasks import Task
from medsweep.tasks.multilabel import likely_labels
from medsweep.tasks.prediction import Prediction

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
    c: float = 1.0,
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
        c: inverse strength of the L2 penalty.
        tol: of lbfgs.
    """
    from sklearn.linear_model import LogisticRegression

    rows = test.shape[0]
    present = sorted(set(targets))
    if len(present) < 2 or not rows:
        result = np.full((rows, classes), 0.0 if present else 1 / classes)
        result[:, present] = 1.0
        return result
    model = LogisticRegression(
        C=c, class_weight="balanced" if balanced else None, max_iter=MAX_ITER, tol=tol
    ).fit(train, np.asarray(targets))
    result = np.zeros((rows, classes))
    result[:, model.classes_] = model.predict_proba(test)
    return result


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
