"""The models that a sweep names, and where they lie."""

from __future__ import annotations

from medsweep.config import ModelConfig, Sweep
from medsweep.config.models import slug
from medsweep.errors import InputError, ModelError, raise_all
from medsweep.models import ModelFolder, check_writes, resolve


def named_models(sweep: Sweep) -> list[ModelConfig]:
    """Every model that the sweep names, once."""
    return [model for _, model in keyed_models(sweep)]


def keyed_models(sweep: Sweep) -> list[tuple[str, ModelConfig]]:
    """The same, each with the key that names it first."""
    named = [(f"models[{n}]", model) for n, model in enumerate(sweep.models)]
    if sweep.reference.model:
        named.append(("reference.model", sweep.reference.model))
    named += [(f"arms[{n}].model", a.model) for n, a in enumerate(sweep.arms) if a.model]
    return list({model.id: (key, model) for key, model in reversed(named)}.values())[::-1]


def writers(sweep: Sweep) -> list[ModelConfig]:
    """The models that have to be language models."""
    tuned = [*sweep.models]
    if sweep.reference.arm == "finetuned" and sweep.reference.model:
        tuned.append(sweep.reference.model)
    asked = [a.model for a in sweep.arms if a.arm in ("zero_shot", "few_shot")]
    if sweep.reference.arm in ("zero_shot", "few_shot"):
        asked.append(sweep.reference.model)
    return [m for m in tuned if sweep.method_of(m) != "head"] + [m for m in asked if m]


def resolve_models(sweep: Sweep) -> tuple[dict[str, str], dict[str, ModelFolder]]:
    """Slugs by model id, and folders by slug; two models never share a slug.

    Raises:
        ModelError, InputErrors: one or more are not there, or cannot write and have to.
    """
    slugs: dict[str, str] = {}
    folders: dict[str, ModelFolder] = {}
    problems = list[InputError]()
    for key, model in keyed_models(sweep):
        try:
            folder = resolve(model.id)
        except ModelError as error:
            place = f"{key}: {error.where or model.id}"
            problems.append(ModelError(error.problem, where=place, fix=error.fix))
            continue
        name, number = slug(folder.name), 2
        while name in folders:
            name, number = f"{slug(folder.name)}-{number}", number + 1
        slugs[model.id], folders[name] = name, folder
    raise_all(problems)
    for writer in writers(sweep):
        check_writes(folders[slugs[writer.id]])
    return slugs, folders
