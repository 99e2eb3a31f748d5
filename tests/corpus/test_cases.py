"""Small files as annotation tools, spreadsheets and zips write them, and what must come of each.

A folder of ``cases`` holds an input and ``case.json``: the input's name, arguments of ``data
convert``, and what is expected, which is documents with offsets in code points, or a refusal with
words of its message. ``notes`` are words that the counts must hold;
a bar between words means either.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from medsweep.cli.data import command
from medsweep.errors import InputError
from tests.corpus.formats_page import PAGE, page

CASES = sorted(p.parent for p in (Path(__file__).parent / "cases").glob("*/case.json"))


def lacking(words: list[str], message: str) -> str | None:
    """The first of the words that a message does not hold."""
    parts = ((w, w.split("|")) for w in words)
    return next((w for w, any_ in parts if not any(a in message.lower() for a in any_)), None)


def gold(document: dict[str, Any]) -> dict[str, Any]:
    """What a document says, comparable between a case and what was written."""
    mentions = []
    for n, e in enumerate(document.get("entities") or ()):
        if isinstance(e, dict):
            pieces = e.get("spans") or [[e["start"], e["end"]]]
            mentions.append((pieces, e["type"], e.get("attributes", {})))
        else:
            pieces, type_ = e if len(e) == 2 else ([e[:2]], e[2])
            mentions.append((pieces, type_, document.get("attributes", {n: {}})[n]))
    mentions.sort(key=lambda m: (m[:2], sorted(m[2].items())))
    labels = document.get("labels")
    return {
        "text": re.sub(r"\s", " ", document["text"]).rstrip(),
        "label": document.get("label"),
        "labels": labels and sorted(labels),
        "entities": mentions if document.get("entities") is not None else None,
    }


def matches(wanted: dict[str, Any], found: dict[str, Any]) -> bool:
    a, b = gold(wanted), gold(found)
    if "attributes" not in wanted:
        for side in (a, b):
            side["entities"] = side["entities"] and [m[:2] for m in side["entities"]]
    if "text" not in wanted:
        a["text"] = b["text"]
    return a == b and wanted.get("id", found["id"]) == found["id"]


def difference(expected: dict[str, Any], notes: list[str], found: Any, told: str) -> str | None:
    """What differs from an expected end; None where nothing does. ``found``: None if refused."""
    if "refused" in expected:
        return "not refused" if found is not None else lacking(expected["refused"], told)
    if found is None:
        return f"refused: {told}"
    if len(found) != len(expected["documents"]):
        return f"{len(found)} documents"
    left, groups = list(found), set()
    for wanted in expected["documents"]:
        match = next((d for d in left if matches(wanted, d)), None)
        if match is None:
            return f"not found: {wanted}"
        left.remove(match)
        if "group" in wanted:
            groups.add((wanted["group"], match.get("group")))
    if any(g is None for _, g in groups) or len({g for _, g in groups}) < len(groups):
        return f"groups {groups}"
    return lacking([*notes, *expected.get("notes", [])], told)


@pytest.mark.parametrize("folder", CASES, ids=lambda p: p.name)
def test_case(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = json.loads((folder / "case.json").read_text("utf-8"))
    shutil.copytree(folder, tmp_path / "case", ignore=shutil.ignore_patterns("case.json"))
    monkeypatch.chdir(tmp_path / "case")
    arguments = ["convert", case["input"], "OUT.jsonl", *case["args"]]
    out = Path("OUT.jsonl")
    try:
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        lines = out.read_text("utf-8").split("\n")
        found, told = [json.loads(line) for line in lines if line], done.stderr
    except InputError as error:
        found, told = None, str(error)
        assert not list(Path().glob("OUT*"))
        assert "\n" not in told
    assert difference(case["expect"], case.get("notes", []), found, told) is None


def test_there_are_cases() -> None:
    assert len(CASES) >= 68


def test_the_page_of_the_docs_is_made_of_them() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `python -m tests.corpus.formats_page`"
