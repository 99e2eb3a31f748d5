"""How a model is made to answer: one file a method, behind one contract."""

from __future__ import annotations

from typing import Any

from medsweep.errors import ConfigError
from medsweep.models.load import Base
from medsweep.tasks import Task
from medsweep.tasks._base import NO_LIKELIHOOD
from medsweep.training.methods._base import Method, PredictionOutput

__all__ = ["Method", "PredictionOutput", "make_method"]


def make_method(base: Base, task: Task) -> Method[Any]:
    """The method that ``base`` was loaded for.

    Raises:
        ConfigError: the method cannot answer this kind of task.
    """
    if base.method == "head":
        from medsweep.training.methods.head import Head

        return Head(base, task)
    if base.method == "generate":
        from medsweep.training.methods.generate import Generate

        return Generate(base, task)
    if what := NO_LIKELIHOOD.get(task.kind):
        raise ConfigError(
            f"{what} have no likelihood to compare", where="task.method", fix="use head or generate"
        )
    from medsweep.training.methods.likelihood import Likelihood

    return Likelihood(base, task)
