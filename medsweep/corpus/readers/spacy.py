"""spaCy's training files, ``DocBin``: MessagePack of token attributes, packed with zlib.

spaCy itself is not needed: strings are kept by their hashes, MurmurHash64A with the seed 1.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._fields import dump_entities
from medsweep.corpus.readers._records import OWN, documents
from medsweep.corpus.readers._tags import mentions_of_tags
from medsweep.corpus.readers._tokens import JOINED
from medsweep.corpus.readers._zip import LARGEST, too_large
from medsweep.errors import DataError

# Numbers of attributes, and of ENT_IOB's values, in spaCy's symbols.
ORTH, ENT_IOB, ENT_TYPE = 65, 77, 78
_PREFIXES = {1: "I", 2: "O", 3: "B"}
_PROBLEM = "not a readable spaCy file (DocBin)"
_FIX = "write the documents as JSON lines or brat"


class Spacy:
    """Entities (``doc.ents``), and categories of at least one half (``doc.cats``).

    Other annotations, and groups of spans, are left out. A document whose entities are all missing
    is unannotated.
    """

    name = "spacy"
    suffixes: tuple[str, ...] = (".spacy",)
    shared_suffixes: tuple[str, ...] = ()
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of a file."""
        return documents(_records(_unpacked(path), path, reading), reading, OWN)


def _unpacked(path: Path) -> Mapping[str, Any]:
    try:
        import msgpack
    except ImportError:
        raise DataError(
            "reading spaCy's files needs the package msgpack", where=path.name, fix=_FIX
        ) from None
    try:
        unpacking = zlib.decompressobj()
        raw = unpacking.decompress(path.read_bytes(), LARGEST)
        if unpacking.unconsumed_tail:
            raise too_large(path.name)
        content = msgpack.unpackb(raw, strict_map_key=False)
    except (zlib.error, ValueError, msgpack.UnpackException):
        raise DataError(_PROBLEM, where=path.name, fix=_FIX) from None
    keys = {"attrs", "tokens", "spaces", "lengths", "strings"}
    if not isinstance(content, dict) or not keys <= content.keys():
        raise DataError(_PROBLEM, where=path.name, fix=_FIX)
    return content


def _records(
    content: Mapping[str, Any], path: Path, reading: Reading
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    import numpy as np

    attributes = list(content["attrs"])
    try:
        rows = np.frombuffer(content["tokens"], "<u8").reshape(-1, len(attributes))
        lengths = np.frombuffer(content["lengths"], "<i4").tolist()
        spaces = np.frombuffer(content["spaces"], "?").tolist()
        words = {string_hash(s): s for s in content["strings"]}
        orths = [words[h] for h in rows[:, attributes.index(ORTH)].tolist()]
        column = {a: rows[:, attributes.index(a)].tolist() for a in (ENT_IOB, ENT_TYPE)}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(_PROBLEM, where=path.name, fix=_FIX) from None
    if sum(lengths) != len(orths) or len(spaces) != len(orths):
        raise DataError(_PROBLEM, where=path.name, fix=_FIX)
    cats, flags = content.get("cats") or [], content.get("flags") or []
    start = 0
    for number, length in enumerate(lengths):
        own = slice(start, start + length)
        unknown = number < len(flags) and flags[number].get("has_unknown_spaces")
        reading.changes[JOINED] += bool(unknown)
        record = _record(
            orths[own],
            [True] * length if unknown else spaces[own],
            column[ENT_IOB][own],
            [words.get(h, "") for h in column[ENT_TYPE][own]],
        )
        scores = cats[number] if number < len(cats) else {}
        if isinstance(scores, dict) and scores:
            record[reading.columns.label] = [k for k, v in scores.items() if v >= 0.5]
        names = {part: getattr(reading.columns, part) for part in ("text", "entities")}
        yield (
            f"{path.name}: document {number + 1}",
            f"{path.stem}-{number + 1}",
            {names.get(key, key): value for key, value in record.items()},
        )
        start += length


def _record(
    words: Sequence[str], spaces: Sequence[bool], iob: Sequence[int], types: Sequence[str]
) -> dict[str, Any]:
    text, places = "", []
    for word, space in zip(words, spaces, strict=True):
        places.append((len(text), len(text) + len(word)))
        text += word + " " * space
    tags = [
        _PREFIXES.get(prefix, "O") + (f"-{type_}" if type_ and prefix in (1, 3) else "")
        for prefix, type_ in zip(iob, types, strict=True)
    ]
    spans = tuple(mentions_of_tags(places, tags))
    return {"text": text, "entities": dump_entities(spans) if any(iob) else None}


def string_hash(text: str) -> int:
    """MurmurHash64A of the UTF-8 bytes with the seed 1; of no text 0, as spaCy has it."""
    raw, mask, prime = text.encode(), 2**64 - 1, 0xC6A4A7935BD1E995
    if not raw:
        return 0
    value = 1 ^ (len(raw) * prime & mask)
    whole = len(raw) // 8 * 8
    for at in range(0, whole, 8):
        part = int.from_bytes(raw[at : at + 8], "little") * prime & mask
        part = (part ^ part >> 47) * prime & mask
        value = (value ^ part) * prime & mask
    if whole < len(raw):
        value = (value ^ int.from_bytes(raw[whole:], "little")) * prime & mask
    value = (value ^ value >> 47) * prime & mask
    return value ^ value >> 47
