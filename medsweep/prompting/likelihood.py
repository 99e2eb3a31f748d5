"""The likeliest label of a document. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medsweep.tasks.prediction import Prediction


def likeliest_label(
    doc_id: str, labels: Sequence[str], log_probabilities: NDArray[np.float64]
) -> Prediction:
    """The label that is likeliest in the mean over a document's windows.

    Args:
        doc_id: the document.
        labels: of the task.
        log_probabilities: (windows, labels).

    Returns:
        Its scores are the softmax of the means.
    """
    mean = log_probabilities.mean(axis=0)
    odds = np.exp(mean - mean.max())
    scores = dict(zip(labels, (odds / odds.sum()).tolist(), strict=True))
    return Prediction(doc_id, label=labels[int(mean.argmax())], scores=scores)
