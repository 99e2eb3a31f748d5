"""The README's lines for one's own notes, on a table as a German spreadsheet writes it."""

import json
import re
from pathlib import Path

import pytest

from tests.commands import medsweep
from tests.conftest import make_documents

README = Path(__file__).parents[2] / "README.md"
# A tiny model, and little of everything else.
SMALL = (
    "reference=tfidf",
    "train_sizes=[9]",
    "draws=1",
    "arms=[majority]",
    "search={trials: 1, rank: 2, top_layers: 1, epochs: 1}",
    "training={min_steps: 2, evaluations: 1, max_length: 32}",
    "tracking.enabled=false",
)


def commands() -> list[list[str]]:
    """The commands of the README's section, without their comments."""
    section = README.read_text().partition("## Your own notes\n")[2].partition("\n\n`")[0]
    lines = re.findall(r"^    medsweep (.*?)(?:\s+#.*)?$", section, re.MULTILINE)
    return [line.split() for line in lines]


@pytest.mark.slow
def test_from_an_own_table_to_predictions(tmp_path: Path, tiny_bert: Path) -> None:
    for name, count, seed in (("notes.jsonl", 90, 1), ("new-notes.jsonl", 6, 2)):
        rows = [
            f"{name[0]}{n};{d['text']} Größe;{d['label']};{n // 2}.0"
            for n, d in enumerate(make_documents(count, seed))
        ]
        table = "\r\n".join(("note_id;note;dx;patient", *rows))
        (tmp_path / name).with_suffix(".csv").write_bytes(table.encode("cp1252"))
    small = [f"--set={key}" for key in (f"models=['{tiny_bert}']", *SMALL)]
    said = {}
    for verb, *arguments in commands():
        given = [a.replace("notes.jsonl", "notes.csv") for a in arguments]
        if verb in ("plan", "run"):
            given += small
        if verb == "export":
            # A model that was trained for seconds matches nothing.
            given += ["--model", tiny_bert.name, "--size", "9"]
        if verb == "predict":
            given += ["--out", "out.jsonl", "--column", "text=note"]
        done = medsweep(verb, *given, cwd=tmp_path)
        assert done.returncode == 0, f"{verb}: {done.stderr}"
        said[verb] = done.stdout + done.stderr
    assert list(said) == ["init", "plan", "run", "export", "predict"]
    assert "90" in said["init"]
    assert (tmp_path / "runs" / "first" / "report.html").is_file()
    made = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(made) == 6
    assert {row["label"] for row in made} <= {"smoker", "former", "never"}
