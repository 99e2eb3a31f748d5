"""Hand over a sweep's adapter, checked against the predictions that the verdict rests on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsweep.errors import ConfigError, RunError
from medsweep.export.card import model_card
from medsweep.export.judged import judged_documents
from medsweep.export.reload import predict_with_peft
from medsweep.export.saved import SavedAdapter, best_adapter


@dataclass(frozen=True, slots=True)
class ExportedAdapter:
    """An adapter that was handed over.

    Attributes:
        name: of the adapter in the sweep.
        documents: test documents whose predictions were found to be the sweep's.
        path: where it is now.
    """

    name: str
    documents: int
    path: Path


def export_adapter(
    folder: Path,
    target: Path,
    *,
    model: str | None = None,
    size: int | None = None,
    draw: int | None = None,
    fold: int | None = None,
    begin: Callable[[str], None] = lambda _: None,
) -> ExportedAdapter:
    """Copy an adapter of the finished sweep in ``folder`` to the new folder ``target``.

    Unless named, it is the verdict's smallest model at its training size, and of its draws (and,
    after a cross-validation, folds) the one with the best score on its dev documents. The copy is
    loaded with plain PEFT and must give the test predictions that the sweep scored, or there is
    no copy. ``begin`` is told what is being done, whenever something else begins.

    Raises:
        ConfigError: no finished sweep, no such adapter, or ``target`` exists.
        DataError: the test documents cannot be read, or have changed since.
        ModelError: the adapter's base cannot be found or loaded.
        RunError: the copy does not give the sweep's predictions.
    """
    if target.exists():
        raise ConfigError("exists already", where=str(target), fix="name a new folder")
    verdict = _verdict(folder)
    model, size = _cell(verdict, model, size)
    adapter = best_adapter(folder, model, size, draw, fold)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        shutil.copytree(adapter.path, part)
        # It was learnt from patients' documents: for this user only.
        part.chmod(0o700)
        documents = _check(folder, part, adapter, begin)
        card = model_card(adapter.trial, adapter.metadata, verdict, documents)
        (part / "README.md").write_text(card, encoding="utf-8")
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return ExportedAdapter(adapter.path.name, documents, target)


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


def _check(folder: Path, copy: Path, adapter: SavedAdapter, begin: Callable[[str], None]) -> int:
    """How many test documents were predicted as the sweep predicted them: all, or RunError.

    Needs the adapter's own base and the test documents, nothing else of the sweep's.
    """
    import pandas as pd

    from medsweep.config import load_sweep
    from medsweep.plan.models import named_models

    begin("reading test documents")
    sweep = load_sweep(folder / "sweep.yaml")
    table = pd.read_parquet(folder / "predictions.parquet")
    metadata, trial = adapter.metadata, adapter.trial
    documents = judged_documents(sweep, metadata.task, table, trial.cell.fold)
    predictions = predict_with_peft(
        copy,
        metadata,
        documents,
        trust_remote_code=any(
            m.trust_remote_code for m in named_models(sweep) if m.id == metadata.base
        ),
        begin=begin,
    )
    own = table[
        (table["arm"] == "finetuned")
        & (table["model"] == trial.cell.model)
        & (table["train_size"] == trial.cell.size)
        & (table["draw"] == trial.draw)
    ]
    scored = dict(zip(own["doc_id"].astype(str), own["pred"], strict=True))
    wrong = sum(scored.get(p.doc_id) != metadata.task.value(p) for p in predictions)
    if wrong or not predictions:
        raise RunError(
            f"adapter {adapter.path.name}: {wrong} of {len(predictions)} test predictions differ "
            "from the sweep's after reloading; nothing was exported: are the texts of the test "
            "documents, the base model, and torch, transformers and peft, the same as in the sweep?"
        )
    return len(predictions)
