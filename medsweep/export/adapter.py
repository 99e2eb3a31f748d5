"""Hand over a sweep's adapter, checked against the predictions that the verdict rests on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsweep.errors import ConfigError, DataError, RunError
from medsweep.export.card import model_card
from medsweep.export.note import Note, predict_plainly, read_note
from medsweep.sweep.items import Item


@dataclass(frozen=True, slots=True)
class Exported:
    """An adapter that was handed over.

    Attributes:
        name: of the adapter in the sweep.
        documents: test documents whose predictions were found to be the sweep's.
        path: where it is now.
    """

    name: str
    documents: int
    path: Path


@dataclass(frozen=True, slots=True)
class _Choice:
    source: Path
    note: Note
    item: Item


def export_adapter(
    folder: Path,
    target: Path,
    *,
    model: str | None = None,
    size: int | None = None,
    draw: int | None = None,
    fold: int | None = None,
) -> Exported:
    """Copy an adapter of the finished sweep in ``folder`` to the new folder ``target``.

    Unless named, it is the verdict's smallest model at its training size, and of its draws (and,
    after a cross-validation, folds) the one with the best score on its dev documents. The copy is
    loaded with plain PEFT and must give the test predictions that the sweep scored, or there is
    no copy.

    Raises:
        ConfigError: no finished sweep, no such adapter, or ``target`` exists.
        DataError: the documents have changed since.
        RunError: the copy does not give the sweep's predictions.
    """
    if target.exists():
        raise ConfigError("exists already", where=str(target), fix="name a new folder")
    verdict = _verdict(folder)
    model, size = _cell(verdict, model, size)
    choice = _choose(folder, model, size, draw, fold)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        shutil.copytree(choice.source, part)
        # It was learnt from patients' documents: for this user only.
        part.chmod(0o700)
        documents = _check(folder, part, choice, verdict)
        card = model_card(choice.item, choice.note, verdict, documents)
        (part / "README.md").write_text(card, encoding="utf-8")
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Exported(choice.source.name, documents, target)


def _verdict(folder: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ConfigError(
            "holds no finished sweep",
            where=str(folder),
            fix=f"`medsweep run`, or `medsweep resume {folder}`, first",
        ) from None
    return values


def _cell(verdict: Mapping[str, Any], model: str | None, size: int | None) -> tuple[str, int]:
    """The cell asked for; what is not said comes from the verdict."""
    smallest = verdict.get("smallest")
    if model is None and smallest is None:
        raise ConfigError(
            "no model matches the reference, so there is no smallest one to export",
            where="verdict.json",
            fix="name one with --model and --size",
        )
    model = model or str((smallest or {})["model"])
    if size is not None:
        return model, size
    matching = [
        int(c["train_size"])
        for c in verdict["cells"]
        if c["model"] == model and c.get("non_inferior")
    ]
    if smallest is not None and model == smallest["model"]:
        matching = [int(smallest["train_size"])]
    if not matching:
        raise ConfigError(
            f"{model} matches the reference at no training size",
            where="verdict.json",
            fix="name the training size with --size",
        )
    return model, min(matching)


def _choose(folder: Path, model: str, size: int, draw: int | None, fold: int | None) -> _Choice:
    """Of the adapters of a cell the one with the best dev score; ties go to the first."""
    found: list[_Choice] = []
    for source in sorted((folder / "adapters").glob("*/medsweep.json")):
        note = read_note(source.parent)
        found.append(_Choice(source.parent, note, Item.from_dict(note.trial)))
    wanted = [
        c
        for c in found
        if (c.item.cell.model, c.item.cell.size) == (model, size)
        and draw in (None, c.item.draw)
        and fold in (None, c.item.cell.fold)
    ]
    if not wanted:
        names = ", ".join(c.source.name for c in found) or "none"
        which = f"{model} at {size} documents"
        which += "" if draw is None else f", draw {draw}"
        which += "" if fold is None else f", fold {fold}"
        raise ConfigError(
            f"no adapter of {which}", where=str(folder / "adapters"), fix=f"there are: {names}"
        )
    return max(wanted, key=lambda c: (c.note.dev_score or 0.0, -c.item.cell.fold, -c.item.draw))


def _check(folder: Path, copied: Path, choice: _Choice, verdict: Mapping[str, Any]) -> int:
    """How many test documents were predicted as the sweep predicted them: all, or RunError."""
    import pandas as pd

    from medsweep.config import load_sweep
    from medsweep.sweep.plan import make_plan

    plan = make_plan(load_sweep(folder / "sweep.yaml"))
    if verdict.get("provenance", {}).get("data_sha256", plan.digest) != plan.digest:
        raise DataError(
            "documents or labels have changed since the sweep",
            where=str(folder / "sweep.yaml"),
            fix="put them back as they were; the check needs the sweep's own test documents",
        )
    cell, note = choice.item.cell, choice.note
    test = plan.workload.folds[cell.fold].test
    found = predict_plainly(
        copied,
        note,
        test,
        trust_remote_code=plan.workload.models[cell.model].trust_remote_code,
    )
    table = pd.read_parquet(folder / "predictions.parquet")
    mine = table[
        (table["arm"] == "finetuned")
        & (table["model"] == cell.model)
        & (table["train_size"] == cell.size)
        & (table["draw"] == choice.item.draw)
    ]
    scored = dict(zip(mine["doc_id"].astype(str), mine["pred"], strict=True))
    wrong = sum(scored.get(p.doc_id) != note.task.value(p) for p in found)
    if wrong or not found:
        raise RunError(
            f"adapter {choice.source.name}: {wrong} of {len(found)} test predictions differ "
            "from the sweep's after reloading; nothing was exported: is the base model, and are "
            "torch, transformers and peft, the same as in the sweep?"
        )
    return len(found)
