import hashlib
import json
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from medsweep.config import load_sweep
from medsweep.corpus.samples import SAMPLES, findings, write_sample
from medsweep.corpus.samples.cardiology import MEDICINES, TYPES
from medsweep.corpus.samples.smoking import SHARES
from medsweep.corpus.samples.smoking_short import SHARES as SHORT_SHARES
from medsweep.errors import InputError


def notes(path: Path) -> list[tuple[str, str]]:
    root = ElementTree.parse(path).getroot()
    assert root.tag == "ROOT"
    found = []
    for number, record in enumerate(root, start=1):
        assert (record.tag, record.attrib) == ("RECORD", {"ID": str(number)})
        smoking, text = record
        assert (smoking.tag, list(smoking.attrib)) == ("SMOKING", ["STATUS"])
        assert text.tag == "TEXT"
        assert text.text is not None
        found.append((text.text.strip(), smoking.attrib["STATUS"]))
    return found


def letters(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_seed_gives_the_same_bytes_and_another_seed_others(name: str, tmp_path: Path) -> None:
    once, again, other = (
        [path.read_bytes() for path in write_sample(name, tmp_path / folder, seed=seed)[:2]]
        for folder, seed in (("once", 3), ("again", 3), ("other", 4))
    )
    assert once == again
    assert not set(once) & set(other)


@pytest.mark.parametrize("name", SAMPLES)
def test_more_training_documents_leave_the_test_documents_alone(name: str, tmp_path: Path) -> None:
    few = write_sample(name, tmp_path / "few", train=5, test=20)
    many = write_sample(name, tmp_path / "many", train=50, test=20)
    assert few[1].read_bytes() == many[1].read_bytes()


@pytest.mark.parametrize("seed", [0, 1])
def test_smoking_notes_have_the_form_and_the_proportions_of_i2b2(seed: int, tmp_path: Path) -> None:
    train, test, _ = write_sample("smoking", tmp_path, seed=seed)
    for path, amount in ((train, 400), (test, 200)):
        found = notes(path)
        assert len(found) == amount
        counts = Counter(status for _, status in found)
        assert counts == {status: round(share * amount) for status, share in SHARES.items()}
        assert not any(slot in text for text, _ in found for slot in "{}")
        words = [len(text.split()) for text, _ in found]
        assert 70 < sum(words) / amount < 110
        assert max(words) < 170
    texts = [text for text, _ in notes(train) + notes(test)]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("seed", [0, 1])
def test_short_notes_are_short_and_nearly_even(seed: int, tmp_path: Path) -> None:
    train, test, _ = write_sample("smoking-short", tmp_path, seed=seed)
    for path, amount in ((train, 1200), (test, 300)):
        found = notes(path)
        counts = Counter(status for _, status in found)
        assert counts == {s: round(share * amount) for s, share in SHORT_SHARES.items()}
        words = [len(text.split()) for text, _ in found]
        assert 20 < sum(words) / amount < 30
        assert max(words) < 60
        assert not any(mark in text for text, _ in found for mark in "{}")
    texts = [text for text, _ in notes(train) + notes(test)]
    assert len(set(texts)) == len(texts)


def test_smoking_notes_are_those_of_the_published_numbers(tmp_path: Path) -> None:
    paths = write_sample("smoking", tmp_path)[:2]
    found = [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in paths]
    assert found == ["2a8c147129e635e2", "c92a6d68e4d50e85"]


def test_smoking_words_do_not_tell_an_unknown_status(tmp_path: Path) -> None:
    found = notes(write_sample("smoking", tmp_path)[0])
    word = re.compile("smok|tobacco|cigar", re.IGNORECASE)
    shares = {
        kind: sum(bool(word.search(text)) for text, _ in group) / len(group)
        for kind, group in (
            ("unknown", [pair for pair in found if pair[1] == "UNKNOWN"]),
            ("known", [pair for pair in found if pair[1] != "UNKNOWN"]),
        )
    }
    assert 0.3 < shares["unknown"] < 0.8
    # Some statements do without any of the words.
    assert 0.8 < shares["known"] < 1


CARDIOLOGY = {"cardiology": TYPES, "cardiology-findings": TYPES + findings.TYPES}


def test_cardiology_letters_are_those_of_the_published_numbers(tmp_path: Path) -> None:
    paths = write_sample("cardiology", tmp_path)[:2]
    found = [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in paths]
    assert found == ["e112b44a2cd269fb", "d8f38894a63cb432"]


@pytest.mark.parametrize("name", CARDIOLOGY)
@pytest.mark.parametrize("seed", [0, 1])
def test_cardiology_spans_lie_on_words(seed: int, name: str, tmp_path: Path) -> None:
    train, test, _ = write_sample(name, tmp_path, seed=seed)
    documents = letters(train) + letters(test)
    assert [len(letters(train)), len(letters(test))] == [240, 120]
    seen: Counter[str] = Counter()
    for document in documents:
        text, end = document["text"], 0
        assert not any(mark in text for mark in "{}[]")
        for span in document["entities"]:
            assert end <= span["start"] < span["end"] <= len(text)
            start, end = span["start"], span["end"]
            surface = text[start:end]
            assert surface == surface.strip()
            assert not (text[start - 1 : start].isalnum() and surface[0].isalnum())
            assert not (text[end : end + 1].isalnum() and surface[-1].isalnum())
            seen[span["type"]] += 1
    assert set(seen) == set(CARDIOLOGY[name])
    assert min(seen.values()) > 100


def test_cardiology_surfaces_have_the_type_that_the_guideline_says(tmp_path: Path) -> None:
    documents = letters(write_sample("cardiology", tmp_path)[0])
    surfaces: dict[str, set[str]] = {}
    for document in documents:
        for span in document["entities"]:
            surfaces.setdefault(span["type"], set()).add(
                document["text"][span["start"] : span["end"]]
            )
    assert "Metoprolol" in surfaces["ActiveIng"]
    assert "Beloc-Zok" in surfaces["Drug"]
    assert "1-0-1" in surfaces["Frequency"]
    assert not surfaces["ActiveIng"] & surfaces["Drug"]
    assert all(re.match(r"[\d,/]+ ?(mg|µg|g|ml|mmol|I\.E\.)$", s) for s in surfaces["Strength"])
    # The same words also stand where they are no mention.
    text = "\n".join(d["text"] for d in documents)
    assert "mg/dl" in text
    assert "vor allem abends" in text


def test_findings_have_the_type_that_the_guideline_says(tmp_path: Path) -> None:
    documents = letters(write_sample("cardiology-findings", tmp_path)[0])
    found: dict[str, Counter[str]] = {}
    others: Counter[str] = Counter()
    for document in documents:
        text = document["text"]
        values = [s for s in document["entities"] if s["type"] == "LVEF"]
        assert values, "each letter has an ejection fraction"
        for span in document["entities"]:
            surface = text[span["start"] : span["end"]]
            found.setdefault(span["type"], Counter())[surface] += 1
            if span["type"] in findings.TYPES:
                assert "attributes" not in span
        for match in re.finditer(r"\d+(?:-\d+)? ?%", text):
            if match.span() not in [(s["start"], s["end"]) for s in values]:
                others[text[: match.start()].split()[-1]] += 1
    assert all(re.fullmatch(r"\d\d(-\d\d)? ?%", value) for value in found["LVEF"])
    assert found["Finding"]["mittelgradige Mitralinsuffizienz"]
    assert found["Finding"]["Wandbewegungsstörung"]
    assert found["Finding"]["Mitralklappeninsuffizienz II°"]
    # Percentages that are no ejection fraction of the left ventricle: thresholds and others.
    assert set(others) == {
        "unter", "über", "RVEF", "RV-EF", "Sättigung", "FEV1", "Herzkatheter", "inferior"
    }  # fmt: skip
    assert len(found["LVEF"]) > 30
    assert len(found["Finding"]) > 100


def test_cardiology_details_are_attributes_of_the_medicine_before_them(tmp_path: Path) -> None:
    fields: Counter[str] = Counter()
    for document in letters(write_sample("cardiology", tmp_path)[0]):
        medicine: dict[str, str] = {}
        for span in document["entities"]:
            if span["type"] in MEDICINES:
                assert not medicine, "every detail was found"
                medicine = dict(span.get("attributes", {}))
                fields.update(medicine.keys())
            else:
                assert "attributes" not in span
                surface = document["text"][span["start"] : span["end"]]
                assert medicine.pop(span["type"].lower()) == surface
        assert not medicine
    assert set(fields) == {"strength", "frequency", "form", "duration"}
    assert min(fields.values()) > 100


def test_cardiology_letters_are_distinct_and_patients_stay_in_one_split(tmp_path: Path) -> None:
    train, test, _ = write_sample("cardiology", tmp_path)
    texts = [d["text"] for d in letters(train) + letters(test)]
    assert len(set(texts)) == len(texts)
    groups = [{d["group"] for d in letters(path)} for path in (train, test)]
    assert not groups[0] & groups[1]
    assert len(groups[0]) < len(letters(train))


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sweep_file_beside_a_sample_finds_its_data(name: str, tmp_path: Path) -> None:
    train, test, sweep_file = write_sample(name, tmp_path / "sample")
    sweep = load_sweep(sweep_file)
    assert Path(sweep.data.train.path) == train
    assert Path(sweep.data.test.path) == test  # type: ignore[union-attr]


def test_wrong_input_is_refused_and_nothing_is_overwritten(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="use one of smoking, smoking-short, cardiology"):
        write_sample("oncology", tmp_path)
    with pytest.raises(InputError, match="at least one document"):
        write_sample("smoking", tmp_path, train=0)
    (tmp_path / "test.xml").write_text("mine")
    with pytest.raises(InputError, match=r"test\.xml: exists already"):
        write_sample("smoking", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["test.xml"]
    with pytest.raises(InputError, match="cannot be written"):
        write_sample("smoking", tmp_path / "test.xml" / "below")
