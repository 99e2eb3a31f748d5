"""The public surface, pinned: a change here is a change of contract."""

import subprocess
import sys

import medsweep


def test_exported_names() -> None:
    assert sorted(medsweep.__all__) == ["__version__", "decide"]


def test_training_imports_neither_ray_nor_mlflow() -> None:
    code = (
        "import sys, medsweep.training.solo, medsweep.training.shared, medsweep.models.load\n"
        "print([m for m in ('ray', 'mlflow', 'optuna', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # transformers imports pandas where it is installed.
    assert done.stdout.strip() in ("[]", "['pandas']")


def test_stats_and_report_import_none_of_the_heavy_ones() -> None:
    code = (
        "import sys, medsweep.stats, medsweep.report, medsweep.tasks, medsweep.corpus\n"
        "print([m for m in ('ray', 'mlflow', 'torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
