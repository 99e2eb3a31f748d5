"""Ways to predict other than a fine-tuned candidate. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medsweep.arms._base import Arm
from medsweep.errors import ConfigError

if TYPE_CHECKING:
    from medsweep.arms.options import check_arm
    from medsweep.models import ModelFolder
    from medsweep.tasks import Task

__all__ = ["Arm", "check_arm", "make_arm"]


def __getattr__(name: str) -> Any:
    # Training uses the prompts of this package where there is no pydantic to check options with.
    if name == "check_arm":
        from medsweep.arms.options import check_arm

        return check_arm
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def make_arm(
    name: str,
    task: Task,
    *,
    model: ModelFolder | None = None,
    options: Mapping[str, Any] | None = None,
) -> Arm:
    """The arm called ``name`` for a task.

    Args:
        name: as the sweep file calls it.
        task: what is asked of the documents.
        model: its model, for ``probe``, ``zero_shot`` and ``few_shot``.
        options: the sweep file's ``options`` of this arm.

    Raises:
        ConfigError: no such arm, no model where one is needed, or options that cannot be used.
        ModelError: the model cannot be loaded for this.
        DataError: a table of predictions cannot be read.
    """
    from medsweep.arms.options import check_arm

    chosen: Any = check_arm(
        name, task.kind, options or {}, labels=task.labels, attributes=task.attributes
    )
    # Each arm is imported when asked for: two of them bring torch along.
    if name == "majority":
        from medsweep.arms.majority import Majority

        return Majority(task)
    if name == "rules":
        from medsweep.arms.rules import Rules

        return Rules(task, chosen)
    if name == "tfidf":
        from medsweep.arms.tfidf import Tfidf

        return Tfidf(task)
    if name == "predictions":
        from medsweep.arms.predictions import Predictions

        return Predictions(task, chosen)
    if name == "endpoint":
        from medsweep.arms.endpoint import Endpoint

        return Endpoint(task, chosen)
    if model is None:
        raise ConfigError(f"arm {name} needs a model", where=f"arms.{name}", fix="add its model")
    if name == "probe":
        from medsweep.arms.probe import Probe

        return Probe(task, model, chosen)
    if name == "few_shot":
        from medsweep.arms.few_shot import FewShot

        return FewShot(task, model, chosen)
    from medsweep.arms.zero_shot import ZeroShot

    return ZeroShot(task, model, chosen)
