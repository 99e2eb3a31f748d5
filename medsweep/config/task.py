"""The task of a sweep file."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from medsweep.config._section import ConfigSection
from medsweep.stats.metrics import METRICS
from medsweep.tasks import MethodName, TaskKind
from medsweep.tasks._base import NO_LIKELIHOOD


class TaskConfig(ConfigSection):
    """What is asked of a document, and the metric that the verdict is given for.

    A plain string is its kind.
    """

    kind: TaskKind
    """One label a document, any number of labels, or the mentions of entities."""
    metric: str = ""
    """What the verdict is about, best dev scores choose, and ASHA stops by [the kind's first]."""
    method: MethodName = "head"
    """How tuned models answer: by a head of their own, by the likelihood of the labels' words, or
    in writing (generate), for which decoders alone will do."""
    attributes: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()
    """Fields of mentions, such as dose or negation, that are written with them; needs generate."""

    @model_validator(mode="before")
    @classmethod
    def _kind_alone(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _metric_of_kind(self) -> Self:
        metrics = METRICS[self.kind]
        if not self.metric:
            object.__setattr__(self, "metric", metrics[0])
        elif self.metric not in metrics:
            raise ValueError(
                f"metric {self.metric!r} is not one of {self.kind}; use {' or '.join(metrics)}"
            )
        if self.attributes and self.kind != "ner":
            raise ValueError("attributes are of mentions; leave them out, or use kind: ner")
        self.check_method(self.method)
        if self.metric == "attribute_f1" and not self.attributes:
            raise ValueError("metric attribute_f1 needs attributes; name them, such as [dose]")
        return self

    def check_method(self, method: MethodName) -> None:
        """Whether a tuned model can answer this task so.

        Raises:
            ValueError: with what to use instead.
        """
        if method == "likelihood" and (gold := NO_LIKELIHOOD.get(self.kind)):
            raise ValueError(f"{gold} have no likelihood to compare; use method head or generate")
        if self.attributes and method != "generate":
            raise ValueError("attributes have to be written; use method: generate")
