"""What a sweep names and is not there: all of it at once, before anything is read or resolved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

from medsweep.arms import check_arm
from medsweep.config import ArmConfig, SourceConfig, Sweep
from medsweep.corpus import missing_file
from medsweep.errors import DataError, InputError, InputErrors, ModelError
from medsweep.models.resolve import check_there
from medsweep.plan.arms import list_arms
from medsweep.plan.models import keyed_models

P = ParamSpec("P")


def input_problems(sweep: Sweep) -> list[InputError]:
    """Files, options and credentials of arms, and models of this machine that are not there.

    Asks no hub and converts nothing. Options that depend on the corpus are checked with it.

    Args:
        sweep: as its file has it, or what is left of it without its mistakes.
    """
    problems = list[InputError]()
    for key in ("train", "test", "dev"):
        source = getattr(sweep.data, key)
        if isinstance(source, SourceConfig):
            problems += found_by(_check_source, f"data.{key}", source)
    try:
        arms = list_arms(sweep)
    except InputError as error:
        problems, arms = [*problems, error], ()
    for arm in arms:
        problems += found_by(_check_options, sweep, arm)
    for key, model in keyed_models(sweep):
        problems += found_by(_check_model, key, model.id)
    return problems


def found_by(check: Callable[P, object], *args: P.args, **how: P.kwargs) -> list[InputError]:
    """The problems that a check raises; none where it passes."""
    try:
        check(*args, **how)
    except InputError as error:
        return [error]
    except InputErrors as errors:
        return list(errors.problems)
    return []


def _check_source(key: str, source: SourceConfig) -> None:
    path = Path(source.path)
    if source.format != "hf" and not path.exists():
        error = missing_file(path)
        raise DataError(error.problem, where=f"{key}: {path}", fix=error.fix or "correct the path")


def _check_options(sweep: Sweep, arm: ArmConfig) -> None:
    check_arm(arm.arm, sweep.task.kind, arm.options, attributes=sweep.task.attributes)


def _check_model(key: str, name: str) -> None:
    try:
        check_there(name)
    except ModelError as error:
        raise ModelError(error.problem, where=f"{key}: {name}", fix=error.fix) from None
