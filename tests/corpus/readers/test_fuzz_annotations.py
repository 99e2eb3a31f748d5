"""Valid files with bytes changed: read as something sound, or refused, never anything else."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medsweep.corpus import Document, scan
from medsweep.errors import DataError

from .annotations import ANN, JSON, TEXT, TSV, TYPES, XMI, zipped

Put = Callable[[str, str | bytes], Path]

# Of a core. Longer where a format has been changed: MEDSWEEP_FUZZ_SECONDS=180.
SECONDS = float(os.environ.get("MEDSWEEP_FUZZ_SECONDS", "2"))
FORMATS = {
    "n.ann": ("brat", ANN),
    "n.tsv": ("webanno-tsv", TSV),
    "n.xmi": ("cas-xmi", XMI),
    "n.json": ("cas-json", JSON),
    "TypeSystem.xml": ("cas-xmi", TYPES),
    "n.txt": ("brat", TEXT),
    "n.zip": ("cas-xmi", zipped({"TypeSystem.xml": TYPES, "n.xmi": XMI})),
}
# What breaks parsers: separators of the formats, numbers at the edge, halves of characters.
PIECES = [b"\t", b"|", b"\n", b"\r", b"\\", b"[", b"]", b"_", b"*", b"-", b";", b'"', b"<", b"&"]
PIECES += [b"0", b"-1", b"99999999999999999999", b"\x00", b"\xff", b"\xf0\x9f", "😊".encode()]
PIECES += [b"null", b"true", b"{}", b"[]", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud800", b"1e999"]


def mutated(raw: bytes, rng: random.Random) -> bytes:
    made = bytearray(raw)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        at = rng.randrange(len(made) + 1)
        length = rng.choice([0, 1, 1, 2, 8, 40])
        kind = rng.randrange(5)
        if kind == 0:
            made[at : at + length] = b""
        elif kind == 1:
            made[at : at + length] = rng.randbytes(length)
        elif kind == 2:
            made[at : at + length] = rng.choice(PIECES)
        elif kind == 3:
            start = rng.randrange(len(made) + 1)
            made[at:at] = made[start : start + length]
        else:
            digits = [i for i, byte in enumerate(made) if 48 <= byte <= 57] or [0]
            place = rng.choice(digits)
            made[place : place + 1] = str(rng.choice([0, 1, 7, 17, 26, 27, 99])).encode()
    return bytes(made)


def check(document: Document) -> None:
    for span in document.spans or ():
        assert 0 <= span.start < span.end <= len(document.text)
        assert span.type
        assert span.type.isprintable()
        edges = [edge for fragment in span.fragments for edge in fragment]
        assert edges == sorted(edges)
        assert not edges or (edges[0], edges[-1]) == (span.start, span.end)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_nothing_but_data_errors(put: Put, tmp_path: Path) -> None:
    seed, ends = random.SystemRandom().getrandbits(32), time.process_time() + SECONDS
    rng, refused, read = random.Random(seed), 0, 0
    for name, (_, content) in FORMATS.items():
        put(name, content)
    while time.process_time() < ends:
        name, (format_, content) = rng.choice(list(FORMATS.items()))
        sound = content if isinstance(content, bytes) else content.encode()
        path = put(name, mutated(sound, rng))
        source = {"n.txt": "n.ann", "TypeSystem.xml": "n.xmi"}.get(name, name)
        layer = rng.choice([None, "Med", "Med.value", "x"]) if format_ != "brat" else None
        try:
            for document in scan(tmp_path / source, format=format_, layer=layer):
                check(document)
            read += 1
        except DataError:
            refused += 1
        except Exception as error:
            error.add_note(f"seed {seed}, {name}: {path.read_bytes()!r}")
            raise
        put(name, content)
    assert refused > 50
    assert read > 50
