"""Verdicts of earlier versions lack keys, and are still told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medsweep.cli.report import read_verdict
from medsweep.cli.verdict import show
from medsweep.report import headline, to_markdown, write_report
from medsweep.report.words import Decision, decision

FILES = sorted((Path(__file__).parent / "data").glob("verdict-*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_verdicts_of_earlier_versions_are_read(path: Path, tmp_path: Path) -> None:
    old = read_verdict(path)
    assert "simplest" not in old
    assert {"MATCHES", "ADAPTER"} & {decision(c).name for c in old["cells"]}
    assert "shown to match" in headline(old)
    write_report(old, None, tmp_path / "report.html", sweep={"draws": 2})
    assert old["cells"][0]["model"] in (tmp_path / "report.html").read_text()
    assert "| arm |" in to_markdown(old)
    show(old)


@pytest.mark.parametrize("key", ["claim", "draws_below", "new_draw"])
def test_cells_may_lack_what_came_later(key: str) -> None:
    cell: dict[str, Any] = json.loads(FILES[0].read_text())["cells"][0]
    assert key not in cell
    assert decision({**cell, "claim": "labelled_set", "non_inferior": True}) is Decision.SET
