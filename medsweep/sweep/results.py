"""The result files of a sweep: tables, adapters, verdict."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from medsweep.config import ArmConfig
from medsweep.errors import RunError
from medsweep.plan.plan import Plan
from medsweep.record.folder import TrialFolder, write_whole
from medsweep.record.records import Records
from medsweep.record.trial import Cell, CellKey, Trial
from medsweep.search.frontier import GivenUp
from medsweep.search.guide import Guide
from medsweep.training.recipe import METADATA


def trials_table(records: Records) -> pd.DataFrame:
    """One row a trial: what it was, how it ended, its best dev score and its cost."""
    rows = []
    for record in records.by_name.values():
        trial, last = record.trial, (record.evaluations or [{}])[-1]
        if trial.phase == "arm":
            continue
        rows.append(
            {
                "trial_id": trial.name,
                "model": trial.cell.model,
                "train_size": trial.cell.size,
                "fold": trial.cell.fold,
                "draw": trial.draw,
                "phase": trial.phase,
                "number": trial.number,
                "status": record.status,
                "adopted": trial.adopt,
                "error": record.error,
                **{k: trial.recipe.get(k) for k in RECIPE_COLUMNS},
                "score": record.best,
                # Of what a model writes; null where it answers otherwise and always does.
                "format_valid": last.get("dev_format_valid"),
                "evaluations": len(record.evaluations),
                "steps": last.get("step"),
                "tokens": last.get("tokens"),
                "seconds": last.get("seconds"),
                "curve": [e["score"] for e in record.evaluations],
            }
        )
    table = pd.DataFrame(rows)
    if "top_layers" in table:
        # None means all layers; a float column would turn 3 into 3.0.
        table["top_layers"] = table["top_layers"].astype("Int64")
    return table


RECIPE_COLUMNS = ("rank", "alpha", "learning_rate", "top_layers", "dropout", "epochs", "seed")


def predictions_table(plan: Plan, records: Records, root: Path) -> pd.DataFrame:
    """One row a test document, arm, cell and draw; no text.

    Raises:
        RunError: the reference has no predictions, so that nothing can be decided.
    """
    labels = arm_labels(plan.workload.arms)
    frames = [
        pd.DataFrame(_rows(labels, record.trial, TrialFolder(root, record.trial.name)))
        for record in records.by_name.values()
        if record.trial.phase != "search" and record.status == "finished"
    ]
    table = pd.concat([f for f in frames if len(f)], ignore_index=True) if frames else None
    if table is None or not _reference_rows(plan, table).any():
        errors = sorted({r.error for r in records.by_name.values() if r.error})
        raise RunError(
            "the reference gave no predictions, so nothing can be decided; "
            f"errors: {', '.join(errors) or 'none'}"
        )
    table["gold"] = table["doc_id"].map(dict(plan.gold))
    columns = ["arm", "model", "train_size", "draw", "doc_id", "gold", "pred", "score"]
    if plan.groups:
        # With it `medsweep decide` gives the sweep's own bounds.
        table["group"] = table["doc_id"].map(dict(plan.groups))
        columns.append("group")
    return table[columns]


def _rows(labels: Sequence[str], trial: Trial, folder: TrialFolder) -> Iterator[dict[str, Any]]:
    arm = "finetuned" if trial.arm is None else labels[trial.arm]
    for row in json.loads(folder.predictions.read_text()):
        yield {"arm": arm, "model": trial.cell.model, **row}


def reading_notes(plan: Plan, records: Records, root: Path) -> list[str]:
    """How many of a writing system's answers were salvaged, cut off, or none; a line a system."""
    labels = arm_labels(plan.workload.arms)
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for record in records.by_name.values():
        if record.trial.phase == "search" or record.status != "finished":
            continue
        for row in _rows(labels, record.trial, TrialFolder(root, record.trial.name)):
            told = {"salvaged": row.get("salvaged"), "cut": row.get("cut"), "none": not row["pred"]}
            count = counts[row["arm"], row["model"]]
            count.update(["all", *(name for name, said in told.items() if said)])
    words = {
        "salvaged": "not written as asked and read all the same",
        "cut": "cut off at the limit of tokens",
        "none": "without a readable answer",
    }
    notes = []
    for (arm, model), count in counts.items():
        found = [f"{count[name]} {text}" for name, text in words.items() if count[name]]
        if found:
            system = f"{arm} {model}".strip()
            notes.append(f"{system}: of {count['all']} answers {', '.join(found)}")
    return notes


def arm_labels(arms: Sequence[ArmConfig]) -> list[str]:
    """What each arm is called in tables: its name, and what tells it from one of that name.

    The first of a name keeps it bare; another one of the same model gets the option that makes the
    difference (``few_shot-bm25``), or else a number.
    """
    labels: list[str] = []
    taken: set[tuple[str, str | None]] = set()
    for arm in arms:
        model = arm.model.id if arm.model else None
        told = [str(arm.options[o]) for o in ("selection", "method") if o in arm.options]
        names = [arm.arm, "-".join([arm.arm, *told])]
        names += [f"{names[-1]}-{n}" for n in range(2, len(arms) + 2)]
        label = next(n for n in names if (n, model) not in taken)
        taken.add((label, model))
        labels.append(label)
    return labels


def inference_of(records: Records, root: Path, model: str, size: int) -> dict[str, Any] | None:
    """What predicting takes with the adapters of a cell: medians over its draws and folds."""
    files = [
        TrialFolder(root, r.trial.name).inference
        for r in records.by_name.values()
        if r.trial.phase == "confirm" and (r.trial.cell.model, r.trial.cell.size) == (model, size)
    ]
    taken = [json.loads(f.read_text()) for f in files if f.exists()]
    if not taken:
        return None
    seconds = median(t["seconds_per_document"] for t in taken)
    weights = median(t["weights_bytes"] for t in taken)
    return {**taken[0], "seconds_per_document": round(seconds, 6), "weights_bytes": int(weights)}


def _reference_rows(plan: Plan, table: pd.DataFrame) -> pd.Series:
    model = plan.reference["model"] or ""
    return (table["arm"] == plan.reference["arm"]) & (table["model"] == model)


def complete_cells(
    plan: Plan, records: Records, given_up: Mapping[CellKey, GivenUp]
) -> tuple[set[CellKey], list[str]]:
    """Those confirmed on every draw and fold, and a line for each that failed to be.

    A cell with a missing draw would be compared on fewer draws than it was meant to be.
    """
    complete: set[CellKey] = set()
    missing: list[str] = []
    for model, size in sorted({(c.model, c.size) for c in plan.cells}):
        confirmed = [
            r
            for fold in range(len(plan.workload.folds))
            for r in records.of(Cell(model, size, fold), "confirm")
            if r.status == "finished"
        ]
        if len(confirmed) == plan.draws_of(Cell(model, size)) * len(plan.workload.folds):
            complete.add((model, size))
        elif (model, size) not in given_up:
            missing.append(f"{model}-n{size}: no verdict, because trials failed")
    return complete, missing


def absent_models(plan: Plan, complete: Collection[CellKey]) -> set[str]:
    """Candidate models of which no cell is complete."""
    reference = {c.key for c in plan.reference_cells}
    planned = {c.model for c in plan.cells if c.key not in reference}
    return planned - {key[0] for key in complete if key not in reference}


def given_up_cells(plan: Plan, records: Records) -> Mapping[CellKey, GivenUp]:
    """What ``strategy: frontier`` has passed over; nothing in a grid."""
    frontier = plan.sweep.strategy == "frontier"
    return Guide(plan).interim_analysis(records).given_up if frontier else {}


def strategy_of(
    plan: Plan, records: Records, given_up: Mapping[CellKey, GivenUp]
) -> dict[str, Any]:
    """How the cells were gone through, as the verdict says it."""
    trials = {
        key: sum(
            len(records.of(Cell(*key, fold), "search")) for fold in range(len(plan.workload.folds))
        )
        for key in given_up
    }
    return {
        "name": plan.sweep.strategy,
        "given_up": [
            {
                "model": key[0],
                "train_size": key[1],
                "trials": trials[key],
                "needless": found.needless,
                "reason": found.reason,
            }
            for key, found in sorted(given_up.items())
        ],
    }


def adapter_name(cell: Cell, draw: int, folds: int) -> str:
    """Folder of a confirmed adapter: ``<model>-n<size>-d<draw>``, with its fold where there are
    several: ``<model>-n<size>-f<fold>-d<draw>``."""
    return f"{cell.name_among(folds)}-d{draw}"


def collect_adapters(records: Records, root: Path, target: Path, folds: int) -> None:
    """Move the confirmed adapters to ``DIR/adapters/``, one folder each."""
    for record in records.by_name.values():
        source = TrialFolder(root, record.trial.name).adapter
        if record.trial.phase == "confirm" and record.status == "finished" and source.exists():
            destination = target / adapter_name(record.trial.cell, record.trial.draw, folds)
            if destination.exists():
                shutil.rmtree(destination)
            destination.parent.mkdir(parents=True, exist_ok=True)
            # Before it is moved: after a crash in between nothing would come here again.
            note = json.loads((source / METADATA).read_text(encoding="utf-8"))
            write_json(source / METADATA, {**note, "trial": record.trial.to_dict()})
            shutil.move(source, destination)


def forget_states(root: Path) -> None:
    """Remove what trials would go on from, once none will: of cells given up, of failed trials."""
    for path in root.iterdir():
        TrialFolder(root, path.name).forget_state()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a whole file or nothing."""
    write_whole(path, (json.dumps(value, indent=2) + "\n").encode())


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Write a whole file or nothing."""
    part = path.with_name(path.name + ".part")
    table.to_parquet(part, index=False)
    part.replace(path)
