"""``docs/formats.md``, made of readers and cases: ``python -m tests.corpus.formats_page``."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

from medsweep.corpus.readers import READERS

CASES = Path(__file__).parent / "cases"
PAGE = Path(__file__).parents[2] / "docs" / "formats.md"

HEAD = """\
# Formats

What `medsweep` reads, and what becomes of it. Made by `python -m tests.corpus.formats_page` from
the readers and from the cases of `tests/corpus/cases`, which are tests.

A format is told by a file's ending, or by one look into it; `--format` (`format:` under `data`)
names it where neither tells. gz, bz2, xz and zip are no formats but wrappings: what they hold is
read, also zips of zips, as projects are exported. A folder is read file by file; files of it that
no reader takes are counted.

One rule for every format whose mentions can be off: a mention that is not where its file says is
moved within 64 characters where that is unique, else left out, counted, and listed by file and
line in `OUT.report.json`; a corpus with a larger share of these than `max_misplaced` (0.05), and
more than two, is refused.

Endings in brackets belong to several formats.
"""


def page() -> str:
    """The whole page."""
    formats = ["| format | endings | what is read |", "| --- | --- | --- |"]
    for reader in READERS.values():
        text = " ".join((inspect.getdoc(type(reader)) or "").split()).replace("``", "`")
        shared = [f"({s})" for s in reader.shared_suffixes]
        endings = " ".join([*reader.suffixes, *shared]) or "a folder"
        formats.append(f"| `{reader.name}` | {endings} | {text.replace('|', chr(92) + '|')} |")
    cases = ["| what lies there | what comes of it | why |", "| --- | --- | --- |"]
    for file in sorted(CASES.glob("*/case.json")):
        case = json.loads(file.read_text("utf-8"))
        command = " ".join([case["input"], *case["args"]])
        cases.append(f"| {case['kind']}: `{command}` | {_end(case['expect'])} | {case['why']} |")
    return "\n".join([HEAD, *formats, "", "## Cases", "", *cases, ""])


def _end(expected: dict[str, Any]) -> str:
    if "refused" in expected:
        return "refused"
    documents = expected["documents"]
    mentions = sum(len(d.get("entities") or ()) for d in documents)
    labels = sum("label" in d or "labels" in d for d in documents)
    counts = {"documents": len(documents), "labels": labels, "mentions": mentions}
    return ", ".join(
        f"{n} {what.removesuffix('s' if n == 1 else '')}" for what, n in counts.items() if n
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
