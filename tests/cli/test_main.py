import subprocess
import sys

import pytest
from click.testing import CliRunner

from medsweep.cli import VERBS, cli

HEAVY = ("torch", "ray", "mlflow", "transformers", "pandas", "numpy", "matplotlib")


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_help_imports_nothing_heavy() -> None:
    done = run_python(
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from medsweep.cli import cli\n"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_teaches_by_example(verb: str) -> None:
    shown = CliRunner().invoke(cli, [verb, "--help"])
    assert shown.exit_code == 0
    assert "Example" in shown.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "nowhere.yaml"], "medsweep: nowhere.yaml: no such file; `medsweep init`"),
        (["status", "nowhere"], "medsweep: nowhere: holds no sweep; name the folder"),
        (["resume", "nowhere"], "medsweep: nowhere: holds no sweep; name the folder"),
        (["sweep"], "No such command 'sweep'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "medsweep", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_a_defect_shows_its_place_and_no_message() -> None:
    done = run_python(
        "import medsweep.cli as c\n"
        "def broken(**_):\n"
        "    raise KeyError('patient text')\n"
        "c.cli.main = broken\n"
        "c.main()"
    )
    assert done.returncode == 3
    assert "KeyError" in done.stderr
    assert "patient text" not in done.stderr
