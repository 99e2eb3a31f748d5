"""The models that a sweep names, and where they lie."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from medsweep.config import ModelConfig, Sweep
from medsweep.config.models import slug
from medsweep.errors import InputError, raise_all
from medsweep.models import ModelFolder, check_writes, resolve
from medsweep.tasks import MethodName

if TYPE_CHECKING:
    from medsweep.models.check import Checked

# Share of unknown tokens from which on it is told.
NOTED = 0.01


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


def resolve_models(
    sweep: Sweep,
) -> tuple[dict[str, str], dict[str, ModelFolder], dict[str, Checked]]:
    """Slugs by model id; folders and what their files tell by slug. No two share a slug.

    Raises:
        ModelError, InputErrors: of every model that is not there, not whole, does not fit the
            task, or cannot write and has to.
    """
    slugs: dict[str, str] = {}
    folders: dict[str, ModelFolder] = {}
    checked: dict[str, Checked] = {}
    problems: list[InputError] = []
    must_write = {m.id for m in writers(sweep)}
    for key, model in keyed_models(sweep):
        try:
            folder = resolve(model.id)
            if model.id in must_write:
                check_writes(folder)
            found = _check(sweep, model, folder)
        except InputError as error:
            place = f"{key}: {error.where or model.id}"
            problems.append(type(error)(error.problem, where=place, fix=error.fix))
            continue
        if found:
            folder = replace(folder, parameters=max(f.parameters for f in found))
        name, number = slug(folder.name), 2
        while name in folders:
            name, number = f"{slug(folder.name)}-{number}", number + 1
        slugs[model.id], folders[name] = name, folder
        if found:
            checked[name] = found[0]
    raise_all(problems)
    return slugs, folders, checked


def _check(sweep: Sweep, model: ModelConfig, folder: ModelFolder) -> list[Checked]:
    """What the files tell for each use of a model, what it is tuned for first."""
    # Imported here because it needs torch, and a misspelt name shall be told at once.
    from medsweep.models.check import check_model

    reference = sweep.reference
    tuned = [*sweep.models, *([reference.model] if reference.arm == "finetuned" else [])]
    uses: list[MethodName | Literal["probe"]] = []
    if model.id in {m.id for m in tuned if m}:
        uses.append(sweep.method_of(model))
    arms = [(a.arm, a.model) for a in sweep.arms] + [(reference.arm, reference.model)]
    for arm, asked in arms:
        if asked and asked.id == model.id and arm in ("probe", "zero_shot", "few_shot"):
            uses.append("probe" if arm == "probe" else "likelihood")
    found = [
        check_model(folder, sweep.task.kind, use, trust_remote_code=model.trust_remote_code)
        for use in dict.fromkeys(uses)
    ]
    return [f for f in found if f]


def model_notes(
    checked: Mapping[str, Checked], methods: Mapping[str, MethodName], labels: int
) -> list[str]:
    """What is done to a model's weights before they are used, one line each."""
    notes = [
        f"{name}: {c.prefix!r} before its tensors' names is taken off"
        for name, c in checked.items()
        if c.prefix
    ]
    return notes + [
        f"{name}: its head for {c.labels} labels is replaced by a new one for {labels}"
        for name, c in checked.items()
        if methods[name] == "head" and c.labels not in (None, labels)
    ]


def tokenizer_notes(
    folders: Mapping[str, ModelFolder], texts: Sequence[str], trusted: Collection[str]
) -> list[str]:
    """Of which models the tokenizer does not know more than :data:`NOTED` of the text.

    ``trusted`` are the ids of models that may bring their own code.

    Raises:
        ModelError, InputErrors: of every model whose tokenizer cannot read ``texts``.
    """
    from medsweep.models.lengths import unknown_share

    notes: list[str] = []
    problems: list[InputError] = []
    for name, folder in folders.items():
        try:
            share = unknown_share(texts, folder, trust_remote_code=folder.reference in trusted)
        except InputError as problem:
            problems.append(problem)
            continue
        if share > NOTED:
            notes.append(f"{name}: {share:.1%} of the text's tokens are unknown to its tokenizer")
    raise_all(problems)
    return notes
