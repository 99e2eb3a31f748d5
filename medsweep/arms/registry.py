"""Every arm by its name: what it needs, its options, and the arm itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from medsweep.arms._base import Arm, ArmOptions
from medsweep.arms.dictionary import Dictionary, DictionaryOptions
from medsweep.arms.endpoint import Endpoint, EndpointOptions
from medsweep.arms.few_shot import FewShot, FewShotOptions
from medsweep.arms.majority import Majority
from medsweep.arms.predictions import Predictions, PredictionsOptions
from medsweep.arms.probe import Probe, ProbeOptions
from medsweep.arms.rules import Rules, RulesOptions
from medsweep.arms.tfidf import Tfidf
from medsweep.arms.zero_shot import ZeroShot, ZeroShotOptions
from medsweep.errors import ConfigError, in_words, raise_all, suggestion
from medsweep.models import ModelFolder
from medsweep.tasks import Task, TaskKind

ArmName = Literal[
    "majority",
    "rules",
    "dictionary",
    "tfidf",
    "probe",
    "zero_shot",
    "few_shot",
    "endpoint",
    "predictions",
]


@dataclass(frozen=True, slots=True)
class ArmType:
    """One kind of arm.

    Attributes:
        make: the arm, of a task, its options and, where it needs one, its model.
        options: what the sweep file may say of it.
        needs_model: whether it computes with a model of this machine.
        has_attributes: whether its answers have a place for attributes of mentions, or none that
            could have one.
    """

    make: Callable[..., Arm]
    options: type[ArmOptions] = ArmOptions
    needs_model: bool = False
    has_attributes: bool = False


ARMS: Mapping[str, ArmType] = {
    "majority": ArmType(Majority, has_attributes=True),
    "rules": ArmType(Rules, RulesOptions),
    "dictionary": ArmType(Dictionary, DictionaryOptions),
    "tfidf": ArmType(Tfidf),
    "probe": ArmType(Probe, ProbeOptions, needs_model=True),
    "zero_shot": ArmType(ZeroShot, ZeroShotOptions, needs_model=True, has_attributes=True),
    "few_shot": ArmType(FewShot, FewShotOptions, needs_model=True, has_attributes=True),
    "predictions": ArmType(Predictions, PredictionsOptions, has_attributes=True),
    "endpoint": ArmType(Endpoint, EndpointOptions, has_attributes=True),
}


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
    checked = check_arm(
        name, task.kind, options or {}, labels=task.labels, attributes=task.attributes
    )
    arm = _arm_type(name)
    if not arm.needs_model:
        return arm.make(task, checked)
    if model is None:
        raise ConfigError(f"arm {name} needs a model", where=f"arms.{name}", fix="add its model")
    return arm.make(task, checked, model)


def check_arm(
    name: str,
    kind: TaskKind,
    options: Mapping[str, Any],
    *,
    labels: Sequence[str] | None = None,
    attributes: Sequence[str] = (),
) -> ArmOptions:
    """The options of an arm, checked; a pattern file is read, a table must exist.

    Args:
        name: as the sweep file calls the arm.
        kind: the task's.
        options: as the sweep file gives them.
        labels: classes or entity types; None where they are not known yet.
        attributes: fields of mentions that are asked for.

    Raises:
        ConfigError: no such arm, an unknown option or a value that cannot be used; or the arm has
            no answer to what is asked.
    """
    arm = _arm_type(name)
    if attributes and not arm.has_attributes:
        able = [other for other, each in ARMS.items() if each.has_attributes]
        raise ConfigError(
            f"arm {name} finds mentions, but none of their attributes",
            where="arms",
            fix=f"name arms that do, such as {', '.join(able[:2])}",
        )
    keys, where = list(arm.options.model_fields), f"arms.{name}.options"
    known = f"known: {', '.join(keys)}" if keys else "this arm has no options"
    raise_all(
        [
            ConfigError(
                f"unknown option {key!r}", where=where, fix=suggestion(str(key), keys) or known
            )
            for key in options
            if key not in keys
        ]
    )
    try:
        checked = arm.options.model_validate(dict(options))
    except ValidationError as error:
        raise_all([_problem(item, where) for item in error.errors(include_url=False)])
        raise
    checked.check(kind, labels, where)
    return checked


def _problem(item: Mapping[str, Any], where: str) -> ConfigError:
    """What a validator found, in words."""
    place = ".".join(map(str, (where, *item["loc"])))
    if item["type"] == "missing":
        return ConfigError("missing", where=place, fix="add this key")
    problem, fix = in_words(item["type"], item["msg"], item.get("ctx", {}), item["input"])
    return ConfigError(problem, where=place, fix=fix)


def _arm_type(name: str) -> ArmType:
    if name in ARMS:
        return ARMS[name]
    raise ConfigError(
        f"no arm {name!r} that predicts by itself",
        where="arms",
        fix=suggestion(name, list(ARMS)) or f"known: {', '.join(ARMS)}",
    )
