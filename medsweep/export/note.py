"""What medsweep writes beside an adapter's weights, and an adapter reloaded from its folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsweep.corpus import Document
from medsweep.errors import ConfigError
from medsweep.tasks import MethodName, Task, make_task
from medsweep.training._base import NOTE, Prediction, Recipe


@dataclass(frozen=True, slots=True)
class Note:
    """``medsweep.json`` of an adapter folder.

    Attributes:
        base: the base model as the sweep file names it.
        task: what the adapter was trained for.
        recipe: how.
        dev_score: its best on dev; None where it was not recorded.
        trial: the sweep's item: model, size, fold, draw; empty outside of a sweep.
        method: how it answers.
    """

    base: str
    task: Task
    recipe: Recipe
    dev_score: float | None
    trial: dict[str, Any]
    method: MethodName = "head"


def read_note(adapter: Path) -> Note:
    """Read an adapter folder's note.

    Raises:
        ConfigError: the folder is not an adapter that medsweep wrote.
    """
    try:
        values = json.loads((adapter / NOTE).read_text(encoding="utf-8"))
        return Note(
            base=values["base"],
            task=make_task(
                values["task"], values["labels"], values["metric"], values.get("attributes", ())
            ),
            recipe=Recipe.from_dict(values["trial"]["recipe"]),
            dev_score=values.get("dev_score"),
            trial=values["trial"],
            method=values.get("method", "head"),
        )
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"no adapter folder of medsweep ({NOTE} is missing or damaged)",
            where=str(adapter),
            fix="name a folder below DIR/adapters, or one that `medsweep export` wrote",
        ) from None


def predict_plainly(
    adapter: Path,
    note: Note,
    documents: Sequence[Document],
    *,
    base: str | None = None,
    trust_remote_code: bool = False,
) -> list[Prediction]:
    """Predictions of an adapter loaded with PEFT alone, without the engine that trained it.

    Args:
        adapter: a plain PEFT folder.
        note: what it was trained for.
        documents: in the order of the result.
        base: the base model, where it lies elsewhere than at training.
        trust_remote_code: whether the base may bring its own code.

    Raises:
        ModelError: the base cannot be found or loaded.
    """
    from peft import PeftModel

    from medsweep.models import resolve
    from medsweep.models.load import load_base
    from medsweep.models.quiet import quiet_peft
    from medsweep.training.forward import read_windows
    from medsweep.training.methods import make_method

    loaded = load_base(
        resolve(base or note.base),
        note.task,
        method=note.method,
        trust_remote_code=trust_remote_code,
    )
    with quiet_peft():
        model = PeftModel.from_pretrained(loaded.model, str(adapter)).eval()
    method = make_method(loaded, note.task)
    windows = method.encode(documents, note.recipe.max_length, to_learn=False)
    readings: list[Any] = read_windows(
        model.get_base_model(),
        loaded,
        windows,
        method.read,
        exact=True,
        by_token=method.by_token,
    )
    return method.decode(documents, windows, readings).predictions
