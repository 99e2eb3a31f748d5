"""Files with bytes changed at random: documents or a DataError, and no text in it."""

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medsweep.corpus import scan
from medsweep.errors import DataError
from tests.corpus.conftest import CANARY
from tests.corpus.readers.test_bioc import collection, passage
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
SECONDS = float(os.environ.get("MEDSWEEP_FUZZ_SECONDS", "2"))
SEED = os.environ.get("MEDSWEEP_FUZZ_SEED", "")
ENTITIES = [{"start": 0, "end": 3, "type": "T"}]
DTD = '<!DOCTYPE collection SYSTEM "BioC.dtd">'
SEEDS: dict[str, list[str | bytes]] = {
    "a.xml": [collection(passage(0, CANARY, ROLE), passage(18, "b"), head=DTD)],
    "a.json": [json_passage(text="Z"), attributed()],
    "a.pubtator": [f"1|t|{CANARY}\n1|a|b c\n1\t0\t3\tZwe\tT\tD\n1\tCID\ta\tb\n"],
    "a.parquet": [TABLE, parquet(text=[CANARY] * 3, entities=[ENTITIES] * 3, label=[1.0, None, 2])],
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
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        seed = rng.choice(SEEDS[name])
        raw = mutated(seed.encode() if isinstance(seed, str) else seed, rng)
        path = put(name, raw)
        message = refusal(path, rng.choice(["bioc", "pubannotation"]) if name == "a.json" else None)
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
