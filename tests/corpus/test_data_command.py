"""`medsweep data`, in process and as a user runs it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medsweep.cli.data import command
from medsweep.corpus import scan
from medsweep.errors import ConfigError
from tests.corpus.conftest import CANARY

Put = Callable[[str, str], Path]


def data(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments)], catch_exceptions=False)


def test_convert(put: Put, tmp_path: Path) -> None:
    source = put("a.conll", f"{CANARY} B-Drug\nx O\n\ny O\n")
    out = tmp_path / "a.jsonl"
    done = data("convert", source, out)
    assert done.exit_code == 0
    assert list(scan(out)) == list(scan(source))
    assert done.stdout == ""
    assert "2 documents, 0 with a label, 1 mentions, from 1 conll file(s)" in done.stderr
    report = json.loads((tmp_path / "a.jsonl.report.json").read_text())
    assert (report["documents"], report["types"], report["format"]) == (2, {"Drug": 1}, "conll")
    assert CANARY not in done.stderr + json.dumps(report)


def test_convert_writes_nothing_of_a_broken_file(put: Put, tmp_path: Path) -> None:
    source = put("a.jsonl", f'{{"text": "{CANARY}"}}\n{{"text": "{CANARY}')
    out = tmp_path / "out" / "b.jsonl"
    out.parent.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "medsweep", "data", "convert", str(source), str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "medsweep: a.jsonl:2: not JSON (column 10); mend this line\n"
    assert list(out.parent.iterdir()) == []


def test_check_counts(put: Put) -> None:
    a = put("a.csv", f"note,label,group\n{CANARY},x,p1\n{CANARY},y,p2\nb,x,p1\n")
    b = put("b.csv", "note,label,group\nb,x,p1\nc c,y,p3\n")
    done = data("check", a, b, "--column", "text=note", "--json")
    found = json.loads(done.stdout)
    first = found["files"][str(a)]
    assert (first["documents"], first["labels"], first["groups"]) == (3, {"x": 2, "y": 1}, 2)
    assert first["repeats"] == {"joined": 0, "conflicting_texts": 1, "conflicting": 2}
    assert first["characters"]["0"] == 1
    assert first["characters"]["100"] == len(CANARY)
    assert found["shared"] == [{"files": [str(a), str(b)], "texts": 1, "ids": 0, "groups": 1}]
    table = data("check", a, b, "--column", "text=note")
    assert "share 1 texts, 0 ids, 1 groups" in table.stdout
    assert "label x" in table.stdout
    assert CANARY not in done.output + table.output


def test_labels_in_brackets_are_shown(put: Put) -> None:
    done = data("check", put("a.jsonl", '{"text": "a", "label": "[red]"}'))
    assert "label [red]" in done.stdout


@pytest.mark.parametrize("column", ["text", "text=", "texts=a"])
def test_column_that_is_none(put: Put, column: str) -> None:
    with pytest.raises(ConfigError, match="--column"):
        data("check", put("a.jsonl", '{"text": "a"}'), "--column", column)
