"""`medsweep data`, in process and as a user runs it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    none = {"documents": 0, "ids": []}
    assert found["shared"] == [
        {
            "files": [str(a), str(b)],
            "texts": 1,
            "ids": 0,
            "groups": 1,
            "near_duplicates": [none, none],
        }
    ]
    table = data("check", a, b, "--column", "text=note")
    assert "Shared by two files" in table.stdout
    assert "label x" in table.stdout
    assert CANARY not in done.output + table.output


def test_labels_in_brackets_are_shown(put: Put) -> None:
    done = data("check", put("a.jsonl", '{"text": "a", "label": "[red]"}'))
    assert "label [red]" in done.stdout


@pytest.mark.parametrize("column", ["text", "text=", "texts=a"])
def test_column_that_is_none(put: Put, column: str) -> None:
    with pytest.raises(ConfigError, match="--column"):
        data("check", put("a.jsonl", '{"text": "a"}'), "--column", column)


def test_check_finds_damage_near_duplicates_and_rare_classes(put: Put, tmp_path: Path) -> None:
    long = f"{CANARY} raucht seit zwanzig Jahren, eine Schachtel am Tag, hustet morgens"
    rows = [
        {"id": "p1", "text": f"{long}.", "label": "x"},
        {"id": "p2", "text": f"{long}!", "label": "x"},
        {"id": "p3", "text": "MÃ¤dchen, \ufffd\u0001", "label": "y"},
    ]
    a = put("a.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    b = put("b.jsonl", json.dumps({"id": "p4", "text": f"{long}?", "label": "x"}))
    page = tmp_path / "check.html"
    done = data("check", a, b, "--sizes", "2,3,500", "--json", "--html", page)
    found = json.loads(done.stdout)
    first = found["files"][str(a)]
    assert first["near_duplicates"] == {"documents": 2, "ids": ["p1", "p2"]}
    assert [d["documents"] for d in found["shared"][0]["near_duplicates"]] == [2, 1]
    assert [(d["count"], d["ids"]) for d in first["damage"]] == [(1, ["p3"])] * 3
    assert [(c["name"], c["at"], c["rare_at"]) for c in first["coverage"]] == [
        ("x", {"2": 1, "3": 2}, [2, 3]),
        ("y", {"2": 1, "3": 1}, [2, 3]),
    ]
    shown = page.read_text()
    assert "mojibake" in shown
    assert "<script" not in shown
    assert CANARY not in done.output + shown + data("check", a, b).output


def test_check_counts_tokens(put: Put, tiny_bert: Path) -> None:
    path = put("a.jsonl", "".join(json.dumps({"text": "smokes " * n}) + "\n" for n in (2, 62, 63)))

    def lengths(*options: str) -> dict[str, int]:
        found = json.loads(data("check", path, "--model", tiny_bert, "--json", *options).stdout)
        tokens: dict[str, int] = found["files"][str(path)]["tokens"][str(tiny_bert)]
        return tokens

    counted = {"longest": 64, "median": 64, "most": 65, "over": 1}
    assert lengths() == {**counted, "window": 64, "over_window": 1}
    assert lengths("--max-length", "8") == {**counted, "window": 8, "over_window": 2}
    with pytest.raises(ConfigError, match="name a --model"):
        data("check", path, "--max-length", "8")


def test_check_shows_what_reading_changed(put: Put) -> None:
    path = put("a.pubtator", "1|t|ASS hilft\n1\t1\t4\tASS\tDrug\n1\tCID\tD1\tD2\n")
    table = data("check", path)
    assert "relations left out" in table.stdout
    assert "mentions moved to where their text is" in table.stdout


def test_check_names_documents_whose_mentions_reading_changed(put: Put) -> None:
    kept, moved, lost = "0\t3\tASS\tDrug", "1\t4\tASS\tDrug", "0\t3\tEis\tDrug"
    lines = {"a": [kept], "b": [moved, lost], "c": [kept], "d": [lost], "e": [kept]}
    blocks = (
        f"{id_}|t|ASS hilft\n" + "".join(f"{id_}\t{line}\n" for line in of)
        for id_, of in lines.items()
    )
    path = put("a.pubtator", "\n".join(blocks))
    found = json.loads(data("check", path, "--json").stdout)["files"][str(path)]
    moved_to = "mentions moved to where their text is"
    left_out = "mentions left out: their text is not at their place"
    assert found["changes"] == {moved_to: 1, left_out: 2}
    assert found["changed"] == {
        moved_to: {"documents": 1, "ids": ["b"]},
        left_out: {"documents": 2, "ids": ["b", "d"]},
    }
    assert "2 (b, d)" in data("check", path).stdout


def test_check_shows_how_mentions_lie(put: Put) -> None:
    mentions = [(0, 25, "Sign"), (8, 25, "Sign"), (12, 25, "Part"), (20, 30, "Drug")]
    entities: list[dict[str, Any]] = [{"start": a, "end": b, "type": t} for a, b, t in mentions]
    entities += [{"spans": [[31, 33], [35, 36]], "type": "Drug"}]
    entities += [{"start": 31, "end": 36, "type": "Part"}]
    path = put("a.jsonl", json.dumps({"text": "x" * 40, "entities": entities}))
    found = json.loads(data("check", path, "--json").stdout)["files"][str(path)]
    # Within another one: two signs, and both that span 31 to 36.
    assert (found["nested"], found["overlapping"], found["discontinuous"]) == (4, 4, 1)
    assert found["mention_characters"] == {
        "Drug": {"median": 3, "longest": 10},
        "Part": {"median": 5, "longest": 13},
        "Sign": {"median": 17, "longest": 25},
    }
    assert found["rare"][0] == {"name": "Drug", "documents": 1, "mentions": 2}
    shown = data("check", path).stdout
    for told in ("nested mentions", "overlapping mentions", "5 (13)", "Rare classes"):
        assert told in shown


def test_check_names_rare_classes_without_sizes(put: Put) -> None:
    rows = [{"text": f"n {i}", "label": "often" if i > 8 else "seldom"} for i in range(19)]
    path = put("a.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    found = json.loads(data("check", path, "--json").stdout)["files"][str(path)]
    assert found["rare"] == [{"name": "seldom", "documents": 9, "mentions": None}]


@pytest.mark.parametrize("sizes", ["a", "5,", "0"])
def test_sizes_that_are_none(put: Put, sizes: str) -> None:
    with pytest.raises(ConfigError, match="--sizes"):
        data("check", put("a.jsonl", '{"text": "a"}'), "--sizes", sizes)


def test_convert_keeps_attributes(put: Put, tmp_path: Path) -> None:
    source = put("a.pubtator", "1|t|ASS hilft\n1\t1\t4\tASS\tDrug\tD1\n")
    assert data("convert", source, tmp_path / "b.jsonl").exit_code == 0
    assert list(scan(tmp_path / "b.jsonl")) == list(scan(source))
    assert '"attributes": {"identifier": "D1"}' in (tmp_path / "b.jsonl").read_text()


def test_convert_to_other_formats(put: Put, tmp_path: Path) -> None:
    entities = [{"start": 0, "end": 3, "type": "Drug"}]
    source = put("a.jsonl", json.dumps({"id": "n", "text": "ASS ab", "entities": entities}))
    for name in ("b.csv", "b.tsv", "b.conll"):
        assert data("convert", source, tmp_path / name).exit_code == 0
        (document,) = scan(tmp_path / name)
        assert (document.text, len(document.spans or ())) == ("ASS ab", 1)
    for name in ("brat", "webanno-tsv"):
        done = data("convert", source, tmp_path / name, "--to", name)
        assert "from 1 jsonl file(s)" in done.stderr
        assert list(scan(tmp_path / name, format=name)) == list(scan(source))
    lost = data("convert", source, tmp_path / "c.conll")
    assert "writing: ids replaced by numbers: 1" in lost.stderr
    report = json.loads((tmp_path / "c.conll.report.json").read_text())
    assert report["changed_by_writing"] == {"ids replaced by numbers": 1}
