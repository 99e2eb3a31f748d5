"""The sweep files that are shipped: every one loads; those of corpora under agreements plan."""

from pathlib import Path

import pytest

from medsweep.config import load_sweep
from medsweep.config.models import Sweep
from medsweep.corpus.samples import write_sample
from medsweep.corpus.samples.cardiology import TYPES
from medsweep.models import ModelFolder
from medsweep.plan.build import make_plan
from tests.corpus.readers.annotations import zipped

SWEEPS = Path(__file__).parents[2] / "sweeps"
FILES = sorted(SWEEPS.glob("*.yaml"))
KINDS = ("ACTIVEING", "DRUG", "DURATION", "FORM", "FREQUENCY", "STRENGTH")


def declared(name: str, **features: str) -> str:
    told = "".join(
        f"<featureDescription><name>{feature}</name><rangeTypeName>uima.{range_}</rangeTypeName>"
        "</featureDescription>"
        for feature, range_ in features.items()
    )
    return (
        f"<typeDescription><name>webanno.custom.{name}</name><supertypeName>uima.tcas.Annotation"
        f"</supertypeName><features>{told}</features></typeDescription>"
    )


TEXT, TRUTH, REFERENCE = "cas.String", "cas.Boolean", "tcas.Annotation"
MEDICATION = (
    '<typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier"><types>'
    + declared("Medication", ClassType=TEXT, InNarrative=TRUTH, Suggested=TRUTH)
    + declared("Sectionsentence", Sectiontypes=TEXT)
    + declared("MedRel", Dependent=REFERENCE, Governor=REFERENCE)
    + "</types></typeSystemDescription>"
)
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
    """A zip as CARDIO:DE has one a letter, with invented text."""
    words, spans, at = [f"pain and wort{number}x{place}" for place in range(len(KINDS))], "", 0
    for place, (word, kind) in enumerate(zip(words, KINDS, strict=True), 10):
        ends = f'sofa="1" begin="{at}" end="{at + len(word)}"'
        spans += f'<c:Medication xmi:id="{place}" {ends} ClassType="{kind}" InNarrative="true"/>'
        at += len(word) + 1
    spans += f'<c:Sectionsentence xmi:id="5" sofa="1" begin="0" end="{at}" Sectiontypes="Labor"/>'
    spans += '<c:MedRel xmi:id="6" sofa="1" begin="0" end="1" Dependent="10" Governor="11"/>'
    members = " ".join(["5", "6", *(str(place) for place in range(10, 10 + len(KINDS)))])
    cas = (
        '<?xml version="1.1" encoding="UTF-8"?><xmi:XMI xmlns:xmi="http://www.omg.org/XMI"'
        ' xmlns:cas="http:///uima/cas.ecore" xmlns:c="http:///webanno/custom.ecore">'
        f'{spans}<cas:Sofa xmi:id="1" sofaID="_InitialView" sofaString="{" ".join(words)}"/>'
        f'<cas:View sofa="1" members="{members}"/></xmi:XMI>'
    )
    path.write_bytes(zipped({"cas.xmi": cas, "TypeSystem.xml": MEDICATION}))


def test_cardiode_plans_and_tells_what_reading_left_out(tmp_path: Path, tiny_bert: Path) -> None:
    for number in range(26):
        letter(tmp_path / f"{number}.zip", number)
    small = [f"data.train.path={tmp_path}", "data.test=6", "train_sizes=[5, all]"]
    plan = make_plan(planned("cardiode.yaml", tiny_bert, *small))
    assert plan.workload.labels == KINDS
    assert plan.workload.sizes == (5, 14)
    assert len(plan.gold) == 6
    others = "26 mentions of other layers left out"
    for told in ("156 attributes left out", others, "26 relations left out"):
        assert f"{tmp_path.name}: {told}" in plan.notes


def test_attributes_of_the_sample_plan(tmp_path: Path, decoder: ModelFolder) -> None:
    write_sample("cardiology", tmp_path / "sample", train=40, test=6)
    writer = decoder.path
    paths = [f"data.{part}.path={tmp_path}/sample/{part}.jsonl" for part in ("train", "test")]
    plan = make_plan(planned("cardiology-attributes.yaml", writer, *paths, "train_sizes=[5, all]"))
    assert plan.workload.labels == TYPES
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
    # Near duplicates are noted, too: the texts of this test are nearly the same.
    note = plan.notes[0]
    assert any(n.startswith("not even models without an error") for n in plan.notes)
    assert note.startswith("no groups: documents are taken as independent")
