"""Logistic regression over features, also where training shows one class or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsweep.corpus import Document
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


def most_likely(
    documents: Sequence[Document], labels: Sequence[str], probabilities: NDArray[np.float64]
) -> list[Prediction]:
    """Each document's likeliest label, with the probabilities of all; one row a document."""
    return [
        Prediction(
            d.id,
            label=labels[int(row.argmax())],
            scores=dict(zip(labels, row.tolist(), strict=True)),
        )
        for d, row in zip(documents, probabilities, strict=True)
    ]
