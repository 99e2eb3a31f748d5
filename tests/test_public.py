"""The public surface, pinned: a change here is a change of contract."""

import subprocess
import sys

import medsweep


def test_exported_names() -> None:
    assert sorted(medsweep.__all__) == ["__version__", "decide"]


def test_training_runs_where_only_torch_transformers_and_peft_are() -> None:
    # What a bare GPU machine lacks is made impossible to import, not looked for afterwards:
    # transformers imports some of it where it is installed.
    lacking = ["ray", "mlflow", "optuna", "pydantic", "statsmodels", "medsweep.stats.decide"]
    code = (
        "import importlib, pkgutil, sys\n"
        f"sys.modules.update(dict.fromkeys({lacking!r}))\n"
        "from medsweep import models, tasks, training\n"
        "for room in (models, tasks, training):\n"
        "    for module in pkgutil.walk_packages(room.__path__, f'{room.__name__}.'):\n"
        "        importlib.import_module(module.name)"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_stats_and_report_import_none_of_the_heavy_ones() -> None:
    code = (
        "import sys, medsweep.stats, medsweep.report, medsweep.tasks, medsweep.corpus\n"
        "print([m for m in ('ray', 'mlflow', 'torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
