"""What an arm promises: a way to predict that is not a fine-tuned candidate.

Imports no torch, and neither does ``medsweep.arms``: an arm that computes with a model imports
what it needs when it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from medsweep.corpus import Document
from medsweep.training._base import Prediction


class Arm(Protocol):
    """A way to predict.

    Attributes:
        trains: whether predictions depend on the training documents; such an arm is asked for
            every size and draw of the ladder, others once.
    """

    trains: bool

    def predict(
        self, train: Sequence[Document], test: Sequence[Document], *, seed: int
    ) -> list[Prediction]:
        """Predict ``test``, in its order.

        The gold of ``test`` is never looked at and may be absent. Equal arguments give equal
        predictions, whatever was predicted before. Nothing is logged, and no error carries text
        of a document.
        """
        ...
