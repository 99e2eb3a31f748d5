"""The sweep files that are shipped: every one loads; those of corpora under agreements plan."""

import json
import shutil
from pathlib import Path

import pytest

from medsweep.config import load_sweep
from medsweep.config.models import Sweep
from medsweep.corpus.samples import write_sample
from medsweep.sweep.plan import make_plan

SWEEPS = Path(__file__).parents[2] / "sweeps"
FILES = sorted(SWEEPS.glob("*.yaml"))
LAYER = "#T_SP=webanno.custom.Medication|kind"
KINDS = ("ActiveIng", "Drug", "Duration", "Form", "Frequency", "Strength")
CLASSES = ("PAST SMOKER", "CURRENT SMOKER", "SMOKER", "NON-SMOKER", "UNKNOWN")


def test_none_is_overlooked() -> None:
    assert len(FILES) >= 8


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_a_shipped_sweep_loads_and_says_what_it_is(file: Path) -> None:
    assert load_sweep(file).name == file.stem
    head = [line for line in file.read_text().splitlines() if line.startswith("# ")]
    for part in ("Purpose", "Command", "Override", "Hardware", "Time", "Limits"):
        assert any(line.startswith(f"# {part}:") for line in head), part


def planned(file: str, model: Path, *overrides: str) -> Sweep:
    """The file as it stands, but for the places and amounts of data and models."""
    small = ("draws=1", "data.dev=6", "reference={arm: majority}", "arms=[majority]")
    return load_sweep(SWEEPS / file, [f"models=[{model}]", *small, *overrides])


def letter(path: Path, number: int) -> None:
    rows, words, at = "", [f"wort{number}x{place}" for place in range(len(KINDS))], 0
    for place, (word, kind) in enumerate(zip(words, KINDS, strict=True), 1):
        rows += f"1-{place}\t{at}-{at + len(word)}\t{word}\t{kind}\t\n"
        at += len(word) + 1
    path.write_text(f"#FORMAT=WebAnno TSV 3.3\n{LAYER}\n\n\n#Text={' '.join(words)}\n{rows}")


def test_cardiode_plans_and_tells_what_reading_left_out(tmp_path: Path, tiny_bert: Path) -> None:
    for part, count in (("train", 20), ("test", 6)):
        (tmp_path / part).mkdir()
        for number in range(count):
            letter(tmp_path / part / f"{part}{number}.tsv", number + 100 * (part == "test"))
    paths = [f"data.{part}.path={tmp_path / part}" for part in ("train", "test")]
    plan = make_plan(planned("cardiode.yaml", tiny_bert, *paths, "train_sizes=[5, all]"))
    assert plan.workload.labels == KINDS
    assert plan.workload.sizes == (5, 14)
    assert "train: 20 documents read from layer webanno.custom.Medication.kind" in plan.notes


def test_attributes_of_the_sample_plan(tmp_path: Path, tiny_bert: Path) -> None:
    write_sample("cardiology", tmp_path / "sample", train=40, test=6)
    writer = tmp_path / "writer"
    shutil.copytree(tiny_bert, writer)
    config = json.loads((writer / "config.json").read_text())
    (writer / "config.json").write_text(json.dumps({**config, "architectures": ["XForCausalLM"]}))
    paths = [f"data.{part}.path={tmp_path}/sample/{part}.jsonl" for part in ("train", "test")]
    plan = make_plan(planned("cardiology-attributes.yaml", writer, *paths, "train_sizes=[5, all]"))
    assert plan.workload.labels == KINDS
    assert plan.workload.attributes == ("duration", "form", "frequency", "strength")
    assert not any("left out" in note for note in plan.notes)


def test_smoking_plans_from_the_challenges_xml(tmp_path: Path, tiny_bert: Path) -> None:
    for part, count in (("train", 30), ("test", 10)):
        records = "".join(
            f'<RECORD ID="{part}{i}"><SMOKING STATUS="{CLASSES[i % 5]}"></SMOKING>'
            f"<TEXT>note {part} {i}</TEXT></RECORD>"
            for i in range(count)
        )
        (tmp_path / f"{part}.xml").write_text(f"<ROOT>{records}</ROOT>")
    paths = [f"data.{part}.path={tmp_path / part}.xml" for part in ("train", "test")]
    plan = make_plan(planned("i2b2-smoking.yaml", tiny_bert, *paths, "train_sizes=[10, all]"))
    assert (plan.workload.labels, len(plan.gold)) == (tuple(sorted(CLASSES)), 10)
    assert plan.notes == ()
