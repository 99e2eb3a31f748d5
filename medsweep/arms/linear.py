"""Logistic regression over features, also where training shows one class or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsweep.corpus import Document
from medsweep.tasks import Task
from medsweep.tasks.multilabel import likely_labels
from medsweep.training._base import Prediction

# Enough for lbfgs on every ladder seen; a warning of no convergence would be an error in tests.
MAX_ITER = 10_000


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
    seen = sorted(set(targets))
    if len(seen) < 2 or not rows:
        result = np.full((rows, classes), 0.0 if seen else 1 / classes)
        result[:, seen] = 1.0
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
    task: Task, train: Any, learnt: Sequence[Document], test: Any, asked: Sequence[Document]
) -> list[Prediction]:
    """Each document's likeliest class; or its likely labels, by a regression for each of them.

    Args:
        task: classification or multi-label.
        train: (n, features) of ``learnt``.
        learnt: documents with gold, see :func:`labelled`.
        test: (m, features) of ``asked``.
        asked: what is predicted.
    """
    labels = task.labels
    if task.kind == "multilabel":
        chances = [
            class_probabilities(
                train, [int(name in (d.labels or ())) for d in learnt], test, 2, balanced=True
            )[:, 1]
            for name in labels
        ]
        rows = np.array(chances).reshape(len(labels), len(asked)).T
        return [likely_labels(d.id, labels, row) for d, row in zip(asked, rows, strict=True)]
    targets = [labels.index(d.label or "") for d in learnt]
    probabilities = class_probabilities(train, targets, test, len(labels), balanced=True)
    return [
        Prediction(
            d.id,
            label=labels[int(row.argmax())],
            scores=dict(zip(labels, row.tolist(), strict=True)),
        )
        for d, row in zip(asked, probabilities, strict=True)
    ]
