import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medsweep.config import load_sweep
from medsweep.corpus import Document
from medsweep.errors import DataError
from medsweep.plan.build import make_plan
from medsweep.plan.division import Division
from medsweep.plan.overlap import without_overlap
from tests.conftest import make_documents, write_jsonl
from tests.corpus.test_near_duplicates import texts


def documents(prefix: str, parts: list[str]) -> list[Document]:
    return [Document(f"{prefix}{i}", t, label="ab"[i % 2]) for i, t in enumerate(parts)]


@pytest.fixture
def division() -> Division:
    """Two test documents have copies: of one in training and dev, of one in other letters."""
    own = texts(12, 40, 0)
    dev = [own[4], own[5], f"{own[0]} dev", own[6]]
    train = [f"{own[0]} again", f"{own[5]} so", own[1].upper(), own[7], own[8]]
    return Division(documents("a", train), documents("b", dev), documents("a", own[:4]))


def test_near_duplicates_are_counted_and_stay(division: Division) -> None:
    parted, (note,) = without_overlap([division], "note")
    assert parted == [division]
    assert note.startswith("2 of 4 test documents are nearly a training or dev document (of 2 and ")
    assert "1 training documents are nearly a dev document" in note
    assert not any(word in note for word in division.test[0].text.split())


def test_they_are_left_out_of_what_does_not_judge(division: Division) -> None:
    (parted,), notes = without_overlap([division], "drop")
    assert [d.id for d in parted.train] == ["a3", "a4"]
    assert [d.id for d in parted.dev] == ["b0", "b1", "b3"]
    assert parted.test == division.test
    assert notes == [
        "2 training documents left out: nearly a test document",
        "1 dev documents left out: nearly a test document",
        "1 training documents left out: nearly a dev document",
    ]
    assert without_overlap([parted], "refuse") == ([parted], [])


def test_they_are_refused_and_so_is_what_leaves_nothing(division: Division) -> None:
    with pytest.raises(DataError, match=r"data.near_duplicates: 2 of 4 test .* `medsweep data"):
        without_overlap([division], "refuse")
    copies = replace(division, train=division.train[:3])
    with pytest.raises(DataError, match="no train document is left"):
        without_overlap([copies], "drop")


def test_a_plan_does_as_the_sweep_file_says(sweep_file: Callable[..., Path]) -> None:
    path = sweep_file()
    rows = make_documents(60, 1, "a", "")
    copied = [
        {**d, "id": f"c{i}", "text": f"{t} {d['text']}"}
        for i, (d, t) in enumerate(zip(rows, texts(60, 40, 3), strict=True))
    ]
    nearly = [{**d, "id": f"t{i}", "text": f"{d['text']} x"} for i, d in enumerate(copied[:20])]
    write_jsonl(path.with_name("train.jsonl"), copied)
    write_jsonl(path.with_name("test.jsonl"), nearly)
    plan = make_plan(load_sweep(path))
    assert any(n.startswith("20 of 20 test documents are nearly") for n in plan.notes)
    dropped = make_plan(load_sweep(path, ["data.near_duplicates=drop", "train_sizes=[9]"]))
    (fold,) = dropped.workload.folds
    assert fold.pool + len(fold.dev) == 40
    assert len(fold.test) == 20
    with pytest.raises(DataError, match=r"data\.near_duplicates"):
        make_plan(load_sweep(path, ["data.near_duplicates=refuse"]))


def test_two_thousand_short_documents_take_less_than_two_seconds() -> None:
    every = documents("d", texts(2000, 60, 1))
    division = Division(every[:1200], every[1200:1500], every[1500:])
    began = time.process_time()
    assert without_overlap([division], "note") == ([division], [])
    assert time.process_time() - began < 2
