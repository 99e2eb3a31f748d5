"""What medsweep writes beside an adapter's weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsweep.errors import ConfigError
from medsweep.tasks import MethodName, Task, make_task
from medsweep.training.recipe import METADATA, Recipe


@dataclass(frozen=True, slots=True)
class AdapterMetadata:
    """``medsweep.json`` of an adapter folder.

    Attributes:
        base: the base model as the sweep file names it.
        task: what the adapter was trained for.
        recipe: how.
        dev_score: its best on dev; None where it was not recorded.
        trial: the sweep's trial: model, size, fold, draw; empty outside of a sweep.
        method: how it answers.
    """

    base: str
    task: Task
    recipe: Recipe
    dev_score: float | None
    trial: dict[str, Any]
    method: MethodName = "head"


def read_metadata(adapter: Path) -> AdapterMetadata:
    """Read an adapter folder's metadata.

    Raises:
        ConfigError: the folder is not an adapter that medsweep wrote.
    """
    try:
        values = json.loads((adapter / METADATA).read_text(encoding="utf-8"))
        return AdapterMetadata(
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
            f"no adapter folder of medsweep ({METADATA} is missing or damaged)",
            where=str(adapter),
            fix="name a folder below DIR/adapters, or one that `medsweep export` wrote",
        ) from None
