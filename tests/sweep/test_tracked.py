from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from medsweep.export.saved import best_adapter
from medsweep.record.trial import Cell, Trial
from medsweep.sweep.folder import SweepFolder
from medsweep.sweep.tracked import finished
from medsweep.training.recipe import METADATA, Recipe

VERDICT: dict[str, Any] = {
    "reference": {"score": 0.8},
    "smallest": {"model": "m", "train_size": 50, "params": 10},
    "provenance": {"folds": 1},
    "test_set": "ab",
    "judged": {"number": 2},
}


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    """Three draws, of which the second is the best on dev."""
    for draw, score in enumerate([0.7, 0.9, 0.8]):
        name = f"m-n50-d{draw}"
        trial = Trial(name, "confirm", Cell("m", 50), draw=draw, recipe=asdict(Recipe()))
        known = {"base": "b", "task": "classification", "labels": ["x", "y"], "metric": "accuracy"}
        (tmp_path / "adapters" / name).mkdir(parents=True)
        (tmp_path / "adapters" / name / METADATA).write_text(
            json.dumps({**known, "dev_score": score, "trial": trial.to_dict()})
        )
    return SweepFolder(tmp_path)


def test_the_tracker_keeps_the_adapter_that_export_hands_over(folder: SweepFolder) -> None:
    ending = finished(VERDICT, folder)
    assert ending.files[-1] == best_adapter(folder.path, "m", 50).path
    assert ending.files[-1].name == "m-n50-d1"
    assert ending.tags == {"test_set": "ab", "verdict_on_test_set": "2"}


def test_deleted_adapters_and_older_verdicts_are_told_all_the_same(tmp_path: Path) -> None:
    older = {k: v for k, v in VERDICT.items() if k not in ("test_set", "judged")}
    ending = finished(older, SweepFolder(tmp_path))
    assert ending.tags == {}
    assert ending.summary["smallest_train_size"] == 50
    assert [path.suffix for path in ending.files] == [".html", ".json", ".yaml"]
