"""From what the trials left to tables, adapters, verdict and report."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd

from medsweep.plan.plan import Plan
from medsweep.record.ledger import enter_verdict
from medsweep.record.records import Records
from medsweep.record.trial import CellKey
from medsweep.report import write_report
from medsweep.stats.decide import decide
from medsweep.stats.verdict import Verdict
from medsweep.sweep.folder import SweepFolder
from medsweep.sweep.provenance import provenance
from medsweep.sweep.results import (
    absent_models,
    collect_adapters,
    complete_cells,
    given_up_cells,
    inference_of,
    predictions_table,
    reading_notes,
    strategy_of,
    trials_table,
    write_json,
    write_parquet,
)
from medsweep.sweep.tracked import tracking_key


def conclude(plan: Plan, records: Records, folder: SweepFolder) -> dict[str, Any]:
    """Tables, adapters, verdict and report from what the trials left."""
    trials = trials_table(records)
    predictions = predictions_table(plan, records, folder.trials)
    write_parquet(folder.trials_table, trials)
    write_parquet(folder.predictions, predictions)
    collect_adapters(records, folder.trials, folder.adapters, len(plan.workload.folds))
    given_up = given_up_cells(plan, records)
    complete, missing = complete_cells(plan, records, given_up)
    decided = _decide(plan, predictions, complete)
    verdict: dict[str, Any] = decided.to_dict()
    verdict["name"] = plan.sweep.name
    verdict["judged"] = enter_verdict(decided.test_set, tracking_key(records.start)).to_dict()
    verdict["notes"] = [*plan.notes, *missing, *reading_notes(plan, records, folder.trials)]
    verdict["strategy"] = strategy_of(plan, records, given_up)
    _add_recipes(records, verdict)
    _add_inference(records, folder, verdict)
    verdict["provenance"] = provenance(plan, records)
    write_json(folder.verdict, verdict)
    write_report(
        verdict,
        predictions,
        folder.report,
        trials=trials,
        sweep=plan.sweep.model_dump(mode="json"),
    )
    return verdict


def _decide(plan: Plan, predictions: pd.DataFrame, complete: Collection[CellKey]) -> Verdict:
    """The verdict on what is complete, and on all other arms."""
    tuned = predictions["arm"] == "finetuned"
    pairs = zip(predictions["model"], predictions["train_size"], strict=True)
    whole = pd.Series([pair in complete for pair in pairs], index=predictions.index)
    return decide(
        predictions[~tuned | whole],
        task=plan.workload.kind,
        metric=plan.workload.metric,
        reference={"arm": plan.reference["arm"], "model": plan.reference["model"] or ""},
        margin=plan.sweep.decide.margin,
        alpha=plan.sweep.decide.alpha,
        params={name: folder.parameters for name, folder in plan.folders.items()},
        groups=dict(plan.groups) or None,
        seed=plan.sweep.seed,
        dev_labels=plan.labels_spent,
        absent=len(absent_models(plan, complete)),
        pool=min(fold.pool for fold in plan.workload.folds),
        systems=plan.sweep.decide.systems,
        sensitivity=plan.sweep.decide.sensitivity,
    )


def _add_recipes(records: Records, verdict: dict[str, Any]) -> None:
    """The winning recipe of each cell, and of a tuned reference.

    Under cross-validation every fold has searched its own.
    """
    tuned = [verdict["reference"]] if verdict["reference"]["arm"] == "finetuned" else []
    for cell in (*verdict["cells"], *tuned):
        recipes = {
            r.trial.cell.fold: {k: v for k, v in r.trial.recipe.items() if k != "seed"}
            for r in records.by_name.values()
            if r.trial.phase == "confirm"
            and (r.trial.cell.model, r.trial.cell.size) == (cell["model"], cell["train_size"])
        }
        if recipes:
            cell["trial"] = recipes[min(recipes)]
        if len(recipes) > 1:
            cell["trial_by_fold"] = [recipes[fold] for fold in sorted(recipes)]


def _add_inference(records: Records, folder: SweepFolder, verdict: dict[str, Any]) -> None:
    """What predicting takes with the adapters of each cell, and of a tuned reference."""
    for cell in (*verdict["cells"], verdict["reference"]):
        cost = inference_of(records, folder.trials, cell["model"], cell["train_size"])
        if cost is not None and cell.get("arm", "finetuned") == "finetuned":
            cell["inference"] = cost
