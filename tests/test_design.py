"""docs/design.md says what the contracts in pyproject.toml say."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYERS = runpy.run_path(str(ROOT / "docs/layers.py"), run_name="layers")


def test_the_table_of_packages_is_that_of_the_layers() -> None:
    rows = LAYERS["layers"](ROOT / "pyproject.toml")
    text = (ROOT / "docs/design.md").read_text()
    table = text[text.index("| package |") :].split("\n\n")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert named == [name for row in rows for name in row]
    here = {p.stem for p in (ROOT / "medsweep").iterdir() if p.suffix in ("", ".py")}
    assert here - {"__init__", "__main__", "__pycache__"} == set(named)


def test_the_figure_is_that_of_the_contracts() -> None:
    rows = LAYERS["layers"](ROOT / "pyproject.toml")
    assert (ROOT / "docs/layers.svg").read_text() == LAYERS["picture"](rows)


def test_files_that_the_design_names_are_there() -> None:
    text = (ROOT / "docs/design.md").read_text()
    for path in re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", text):
        assert (ROOT / "medsweep" / path).exists() or (ROOT / path).exists(), path
