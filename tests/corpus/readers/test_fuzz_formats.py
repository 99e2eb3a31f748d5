"""Files with bytes changed at random: documents or a DataError, and no text in it."""

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from medsweep.corpus import scan
from medsweep.errors import DataError
from tests.corpus.conftest import CANARY
from tests.corpus.readers.test_bioc import collection, passage
from tests.corpus.readers.test_i2b2_smoking import XML as SMOKING
from tests.corpus.readers.test_i2b2_smoking import zipped
from tests.corpus.readers.test_malformed_formats import (
    BOOK,
    ROLE,
    TABLE,
    attributed,
    json_passage,
    parquet,
    xlsx,
)

# For longer hunts.
# Of a core, for each format. Longer where one has been changed: MEDSWEEP_FUZZ_SECONDS=180.
SECONDS = float(os.environ.get("MEDSWEEP_FUZZ_SECONDS", "0.5"))
SEED = os.environ.get("MEDSWEEP_FUZZ_SEED", "")
ENTITIES = [{"start": 0, "end": 3, "type": "T"}]
SAID = [{"spans": [[2, 5], [7, 9]], "type": "T", "text": f"{CANARY[:3]}{CANARY[5:7]}"}]
CELL = '"' + json.dumps(ENTITIES).replace('"', '""') + '"'
JSONL: list[dict[str, Any]] = [
    {"id": 7, "label": "x", "group": "p"},
    {"labels": ["a", "b"]},
    {"entities": [{**ENTITIES[0], "attributes": {"dose": "5 mg", "n": 2}}]},
]
NAMED = {"a.conll": "conll", "smoking.xml": "i2b2-smoking", "smoking.zip": "i2b2-smoking"}
DTD = '<!DOCTYPE collection SYSTEM "BioC.dtd">'
SEEDS: dict[str, list[str | bytes]] = {
    "a.xml": [collection(passage(0, CANARY, ROLE), passage(18, "b"), head=DTD)],
    "a.json": [json_passage(text="Z"), attributed()],
    "a.pubtator": [f"1|t|{CANARY}\n1|a|b c\n1\t0\t3\tZwe\tT\tD\n1\tCID\ta\tb\n"],
    "a.parquet": [TABLE, parquet(text=[CANARY] * 3, entities=[ENTITIES] * 3, label=[1.0, None, 2])],
    "a.conll": [
        f"1\t{CANARY}\tB-A\tO\n2\tb\tI-A\tB-B\n\n1\tc\tO\tO\n",
        f"-DOCSTART-\tO\n\n{CANARY}\tB-A\nb\tE-A\n\n-DOCSTART-\tO\n\n# newdoc id = x\nc\tO\n",
    ],
    "a.csv": [
        f'text,label,labels,entities\n"{CANARY}, b\n""c""",x,a; b,{CELL}\nd,,"[""a""]",[]\n',
        f"\ufefftext;id;group\r\n{CANARY};1;p\r\n",
    ],
    "a.tsv": [f"id\ttext\tentities\n1\t{CANARY}\t{CELL}\n", f"{CANARY}\tB-A\nb\tO\n"],
    "a.jsonl": [
        "\n".join(json.dumps({"text": CANARY, **parts}) for parts in JSONL),
        json.dumps({"text": f"\ufeff {CANARY} 😊", "entities": SAID}, ensure_ascii=False),
    ],
    "smoking.xml": [SMOKING.replace("Nie geraucht", CANARY)],
    "smoking.zip": [zipped({"s.xml": SMOKING.replace("Nie geraucht", CANARY)})],
    "a.xlsx": [BOOK, xlsx(["text", "entities"], [CANARY, json.dumps(ENTITIES)])],
}


def mutated(raw: bytes, rng: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        at = rng.randrange(len(changed)) if changed else 0
        act = rng.randrange(5)
        if act == 0 and changed:
            changed[at] = rng.randrange(256)
        elif act == 1 and changed:
            changed[at] ^= 1 << rng.randrange(8)
        elif act == 2:
            del changed[at : at + rng.choice([1, 4, 64])]
        elif act == 3:
            changed[at:at] = changed[at : at + rng.choice([1, 8, 64])]
        else:
            changed[at:at] = rng.choice(
                [b"<", b"&x;", b"\0", b"\xff", b"9" * 20, b"\t", b"]", b"-"]
            )
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDS)
def test_only_data_errors_escape(put: Callable[[str, bytes], Path], name: str) -> None:
    rng = random.Random(name + SEED)
    end = time.process_time() + SECONDS
    while time.process_time() < end:
        seed = rng.choice(SEEDS[name])
        raw = mutated(seed.encode() if isinstance(seed, str) else seed, rng)
        path = put(name, raw)
        format_ = rng.choice(["bioc", "pubannotation"]) if name == "a.json" else NAMED.get(name)
        message = refusal(path, format_)
        assert CANARY not in message
        assert "\n" not in message


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data-00000-of-00001.arrow", "state.json", "dataset_info.json"])
def test_only_data_errors_escape_of_a_saved_data_set(tmp_path: Path, name: str) -> None:
    datasets.disable_progress_bars()
    names = datasets.ClassLabel(names=["T", "U"])
    entity = {"start": datasets.Value("int32"), "end": datasets.Value("int32"), "type": names}
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": names, "entities": datasets.List(entity)}
    )
    row = {"text": CANARY, "label": 1, "entities": [{"start": 0, "end": 3, "type": 0}]}
    datasets.Dataset.from_list([row] * 3, features=features).save_to_disk(tmp_path / "d")
    path, rng = tmp_path / "d" / name, random.Random(name + SEED)
    sound = path.read_bytes()
    end = time.process_time() + SECONDS
    while time.process_time() < end:
        # A new file: the one before may still be mapped into memory.
        path.unlink()
        path.write_bytes(mutated(sound, rng))
        message = refusal(tmp_path / "d", "hf")
        assert CANARY not in message
        assert "\n" not in message


def refusal(path: Path, format_: str | None) -> str:
    """What reading says against a file, or nothing."""
    try:
        for document in scan(path, format=format_):
            for span in document.spans or ():
                assert 0 <= span.start < span.end <= len(document.text)
    except DataError as error:
        return str(error)
    return ""
