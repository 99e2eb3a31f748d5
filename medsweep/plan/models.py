"""The models that a sweep names, and where they lie."""

from __future__ import annotations

from medsweep.config import ModelConfig, Sweep
from medsweep.config.models import slug
from medsweep.models import ModelFolder, check_writes, resolve


def named_models(sweep: Sweep) -> list[ModelConfig]:
    """Every model that the sweep names, once."""
    named = [*sweep.models, *([sweep.reference.model] if sweep.reference.model else [])]
    named += [a.model for a in sweep.arms if a.model]
    return list({m.id: m for m in reversed(named)}.values())[::-1]


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
        ModelError: one is not there, or cannot write and has to.
    """
    slugs: dict[str, str] = {}
    folders: dict[str, ModelFolder] = {}
    for model in named_models(sweep):
        folder = resolve(model.id)
        name, number = slug(folder.name), 2
        while name in folders:
            name, number = f"{slug(folder.name)}-{number}", number + 1
        slugs[model.id], folders[name] = name, folder
    for writer in writers(sweep):
        check_writes(folders[slugs[writer.id]])
    return slugs, folders
