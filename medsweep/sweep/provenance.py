"""What a result was made from, and by."""

from __future__ import annotations

import time
from importlib import metadata
from typing import Any

from medsweep.plan.plan import Plan
from medsweep.record.records import Records

PACKAGES = ("medsweep", "torch", "transformers", "peft", "ray", "optuna", "mlflow", "scikit-learn")


def versions() -> dict[str, str]:
    """Of medsweep and what it stands on."""
    return {name: metadata.version(name) for name in PACKAGES}


def provenance(plan: Plan, records: Records) -> dict[str, Any]:
    """As ``verdict.json`` has it."""
    seconds = sum(
        (r.evaluations[-1].get("seconds", 0.0) for r in records.by_name.values() if r.evaluations),
        0.0,
    )
    statuses = [r.status for r in records.by_name.values()]
    return {
        "data_sha256": plan.digest,
        "seed": plan.sweep.seed,
        "versions": versions(),
        "models": {
            name: {"id": plan.workload.models[name].id, "parameters": folder.parameters}
            for name, folder in plan.folders.items()
        },
        "test_documents": len(plan.gold),
        "dev_documents": plan.labels_spent,
        "folds": len(plan.workload.folds),
        "trials": {s: statuses.count(s) for s in ("finished", "stopped", "failed")},
        "training_seconds": round(seconds, 1),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(records.start.get("time", 0))),
    }
