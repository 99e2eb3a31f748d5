"""The arms of a sweep, each with its model, the reference first."""

from __future__ import annotations

from medsweep.arms import check_arm
from medsweep.config import ArmConfig, Sweep
from medsweep.errors import ConfigError


def list_arms(sweep: Sweep) -> tuple[ArmConfig, ...]:
    """The arms to run: the reference, unless it is tuned; those listed; a probe a candidate.

    A listed arm is the reference where the two have the same options, or the reference none.
    """
    arms: list[ArmConfig] = []
    for arm in sweep.arms:
        if arm.arm == "probe" and arm.model is None:
            # An arm loads its model whole.
            whole = (m for m in sweep.models if m.devices == 1)
            arms += [arm.model_copy(update={"model": m}) for m in whole]
        elif arm.arm in ("zero_shot", "few_shot") and arm.model is None:
            model = sweep.reference.model
            if model is None:
                raise ConfigError(f"arm {arm.arm} needs a model", where="arms", fix="add its model")
            arms.append(arm.model_copy(update={"model": model}))
        else:
            arms.append(arm)
    wanted = sweep.reference
    if wanted.arm == "finetuned":
        return tuple(arms)
    same = (
        a
        for a in arms
        if (a.arm, a.model) == (wanted.arm, wanted.model) and wanted.options in ({}, a.options)
    )
    reference = next(same, None) or ArmConfig(
        arm=wanted.arm, model=wanted.model, options=wanted.options
    )
    return (reference, *(a for a in arms if a is not reference))


def check_arms(sweep: Sweep, arms: tuple[ArmConfig, ...], labels: tuple[str, ...]) -> None:
    """Check their options against the task.

    Raises:
        ConfigError: an arm has no answer to what is asked, or an option cannot be used.
    """
    for arm in arms:
        check_arm(
            arm.arm,
            sweep.task.kind,
            arm.options,
            labels=labels,
            attributes=sweep.task.attributes,
        )
