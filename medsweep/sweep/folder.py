"""The folder of a sweep: what is in it, whose it is, and whether it may be gone on with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from medsweep.config import Sweep
from medsweep.errors import ConfigError, DataError
from medsweep.plan.plan import Plan
from medsweep.record.journal import read_events

# Parts of ``data`` that may be corpora.
SOURCES = ("train", "dev", "test")


class SweepFolder:
    """``DIR`` of ``medsweep run --out DIR``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sweep_file = path / "sweep.yaml"
        self.verdict = path / "verdict.json"
        self.report = path / "report.html"
        self.predictions = path / "predictions.parquet"
        self.trials_table = path / "trials.parquet"
        self.adapters = path / "adapters"
        # Absolute, because hosts and trials run in other folders, on other machines.
        self.state = path.resolve() / "state"
        self.trials = self.state / "trials"
        # As it was called, because messages name it.
        self.journal = path / "state" / "journal.jsonl"

    def check_free(self) -> None:
        """A folder holds one sweep. One that never came to its first trial is no sweep yet.

        Raises:
            ConfigError: there is one.
        """
        events = read_events(self.journal) if self.journal.exists() else ()
        if any(event["event"] == "proposed" for event in events):
            raise ConfigError(
                "already holds a sweep",
                where=str(self.path),
                fix=f"`medsweep resume {self.path}`, or another --out",
            )

    def make(self) -> None:
        """Predictions and adapters come from patients' documents: for this user only."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def write_sweep(self, sweep: Sweep) -> None:
        """The sweep file as it was understood."""
        self.sweep_file.write_text(yaml.safe_dump(sweep.model_dump(mode="json"), sort_keys=False))

    def check_unchanged(self, plan: Plan, start: Mapping[str, Any]) -> None:
        """A sweep goes on with what it began with, or its trials do not belong together.

        Raises:
            DataError: documents or labels have changed.
            ConfigError: the sweep file has.
        """
        if start["digest"] != plan.digest:
            raise DataError(
                "documents or labels have changed since the sweep began",
                where=str(self.path),
                fix="put the old files back, or start a new sweep",
            )
        fixed = fixed_keys(plan.sweep)
        began = _with_defaults(start.get("sweep", fixed))
        if changed := [key for key in fixed if fixed[key] != began.get(key)]:
            raise ConfigError(
                f"changed since the sweep began: {', '.join(changed)}",
                where=str(self.sweep_file),
                fix="put the old values back, or start a new sweep",
            )


def fixed_keys(sweep: Sweep) -> dict[str, Any]:
    """What may not change while a sweep is under way: all but where it runs and reads from."""
    fixed = sweep.model_dump(mode="json", exclude={"tracking", "resources"})
    for source in (fixed["data"][part] for part in SOURCES):
        if isinstance(source, dict):
            del source["path"]
    return fixed


def _with_defaults(began: Mapping[str, Any]) -> dict[str, Any]:
    """What a sweep began with, as it is read today: keys that came since have their defaults."""
    data = {**began["data"]}
    for part in SOURCES:
        if isinstance(data.get(part), dict):
            data[part] = {**data[part], "path": "-"}
    return fixed_keys(Sweep.model_validate({**began, "data": data}))
