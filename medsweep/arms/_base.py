"""What an arm promises: a way to predict that is not a fine-tuned candidate.

Imports no torch, and neither does a module of ``medsweep.arms`` when it is imported: what checks a
sweep file needs none. An arm that computes with a model imports what it needs when it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from medsweep.corpus import Document
from medsweep.tasks import TaskKind
from medsweep.tasks.prediction import Prediction

Count = Annotated[StrictInt, Field(ge=1)]
Tokens = Annotated[StrictInt, Field(ge=8)]


class ArmOptions(BaseModel):
    """An arm without options."""

    # Docstrings of keys are what `medsweep explain` says of them.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        protected_namespaces=(),
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )

    def check(self, kind: TaskKind, labels: Sequence[str] | None, where: str) -> None:
        """What no key says alone: values that do not fit one another, the task or the disk.

        Args:
            kind: the task's.
            labels: classes or entity types; None where they are not known yet.
            where: the options' place in the sweep file.

        Raises:
            ConfigError: with the key and what to do.
        """


class Arm(Protocol):
    """A way to predict.

    Attributes:
        trains: whether predictions depend on the training documents, beyond how long an answer may
            be; such an arm is asked for every size and draw of the ladder, others once.
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
