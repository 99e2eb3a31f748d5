from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from medsweep.corpus import Span, read_documents, scan
from medsweep.corpus.readers.hf import is_hub_id
from medsweep.errors import DataError


@pytest.fixture(autouse=True)
def no_bars() -> None:
    datasets.disable_progress_bars()


def smoking() -> datasets.Dataset:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    made = {"text": ["a", "b", "c"], "label": [1, 0, -1]}
    return datasets.Dataset.from_dict(made, features=features)


def test_a_saved_folder(tmp_path: Path) -> None:
    smoking().save_to_disk(tmp_path / "d")
    assert [(d.id, d.text, d.label) for d in scan(tmp_path / "d")] == [
        ("d-1", "a", "yes"),
        ("d-2", "b", "no"),
        ("d-3", "c", None),
    ]


def test_of_splits_one_is_named(tmp_path: Path) -> None:
    datasets.DatasetDict(train=smoking(), test=smoking()).save_to_disk(tmp_path / "d")
    with pytest.raises(DataError, match=r"2 splits \(train, test\); name one: .*/train"):
        list(scan(tmp_path / "d"))
    assert len(list(scan(tmp_path / "d" / "test"))) == 3


def test_tokens_and_tags(tmp_path: Path) -> None:
    tags = datasets.ClassLabel(names=["O", "B-D", "I-D"])
    features = datasets.Features(
        {"tokens": datasets.List(datasets.Value("string")), "ner_tags": datasets.List(tags)}
    )
    made = {"tokens": [["Auf", "ASS", "100"]], "ner_tags": [[0, 1, 2]]}
    datasets.Dataset.from_dict(made, features=features).save_to_disk(tmp_path / "d")
    (document,) = read_documents(tmp_path / "d", kind="ner")
    assert (document.text, document.spans) == ("Auf ASS 100", (Span(4, 11, "D"),))


@pytest.mark.parametrize("listed", [datasets.List, datasets.LargeList, lambda f: [f]])
def test_classes_within_entities(tmp_path: Path, listed: Callable[[Any], Any]) -> None:
    whole, names = datasets.Value("int32"), datasets.ClassLabel(names=["Drug", "Dose"])
    entity = {"start": whole, "end": whole, "type": names, "attributes": {"of": names}}
    features = datasets.Features({"text": datasets.Value("string"), "entities": listed(entity)})
    made = [
        {"start": 0, "end": 3, "type": 0, "attributes": {"of": 1}},
        {"start": 4, "end": 7, "type": 1, "attributes": {"of": -1}},
    ]
    rows = {"text": ["ASS 100", "nichts"], "entities": [made, []]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "d")
    first, second = read_documents(tmp_path / "d", kind="ner", attributes=["of"])
    assert first.spans == (Span(0, 3, "Drug", attributes=(("of", "Dose"),)), Span(4, 7, "Dose"))
    assert second.spans == ()


def test_a_damaged_folder(tmp_path: Path) -> None:
    smoking().save_to_disk(tmp_path / "d")
    next((tmp_path / "d").glob("*.arrow")).write_bytes(b"x")
    with pytest.raises(DataError, match="not a data set that can be loaded"):
        list(scan(tmp_path / "d"))


def test_nothing_is_downloaded_unless_the_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        list(scan("nobody/nothing"))
    for path in (tmp_path / "nobody" / "nothing", Path("../nothing"), Path("nothing")):
        with pytest.raises(DataError, match="no such file or folder"):
            list(scan(path, format="hf"))


@pytest.mark.parametrize("id_", ["org/notes", "org/notes/train"])
def test_what_may_be_a_hub_id(id_: str) -> None:
    assert is_hub_id(Path(id_))
