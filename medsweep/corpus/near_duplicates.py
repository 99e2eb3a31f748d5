"""Texts that are nearly the same: copied forward, corrected, or from one template.

MinHash with banding (Broder, On the resemblance and containment of documents, 1997; Leskovec,
Rajaraman and Ullman, Mining of Massive Datasets, chapter 3) finds candidates; each is then
compared exactly.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from medsweep.corpus._base import Document
from medsweep.corpus.duplicates import text_key

# Jaccard similarity of the sets of five-character strings from which on texts are nearly the same.
ALIKE = 0.8
SHINGLE = 5
# A pair of similarity s shares a band with probability 1 - (1 - s^4)^32: at 0.8 all but 5 in
# 10^8 do.
BANDS, ROWS = 32, 4
# A template fills buckets; of those its first texts stand for the rest.
LARGEST_BUCKET = 200
_SEED = 0
# Strings of a text that all hash functions are applied to at once.
_SHORT = 4096

Shingles = NDArray[np.uint64]


def near_duplicates(
    corpora: Mapping[str, Sequence[Document]],
) -> dict[str, dict[str, list[str]]]:
    """Ids of a file's documents by the file that holds a near duplicate of them.

    ``found[a][b]``: documents of ``a`` that are nearly, but not exactly, a text of ``b``, or
    of another document of ``a`` where ``b`` is ``a``. Texts are compared without case, with
    single spaces. Of texts that repeat exactly in a file the first one counts.
    """
    names, entries = list(corpora), _entries(corpora)
    texts = [text for _, _, text in entries]
    files = [file for file, _, _ in entries]
    near = np.zeros((len(entries), len(names)), dtype=bool)

    @lru_cache(maxsize=4096)
    def shingles_of(entry: int) -> Shingles:
        return _shingles(texts[entry])

    for i, j in _candidates([_signature(_shingles(t)) for t in texts]):
        known = near[i, files[j]] and near[j, files[i]]
        if not known and texts[i] != texts[j] and _alike(shingles_of(i), shingles_of(j)):
            near[i, files[j]] = near[j, files[i]] = True
    return {
        a: {
            b: [id_ for n, (file, id_, _) in enumerate(entries) if file == x and near[n, y]]
            for y, b in enumerate(names)
        }
        for x, a in enumerate(names)
    }


def _entries(corpora: Mapping[str, Sequence[Document]]) -> list[tuple[int, str, str]]:
    """File, id and text to compare of every different text of a file."""
    entries = []
    for number, documents in enumerate(corpora.values()):
        first: dict[str, str] = {}
        for document in documents:
            first.setdefault(text_key(document).casefold(), document.id)
        entries += [(number, id_, text) for text, id_ in first.items()]
    return entries


def _shingles(text: str) -> Shingles:
    """Hashes of the strings of ``SHINGLE`` characters in a text, each once."""
    raw = np.frombuffer(text.ljust(SHINGLE).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    codes = raw.astype(np.uint64)
    count = len(codes) - SHINGLE + 1
    hashes = np.zeros(count, dtype=np.uint64)
    for offset in range(SHINGLE):
        hashes = hashes * np.uint64(0x100000001B3) + codes[offset : offset + count]
    hashes *= np.uint64(0x9E3779B97F4A7C15)
    return np.unique(hashes ^ (hashes >> np.uint64(31)))


def _signature(shingles: Shingles) -> Shingles:
    """The least value of the shingles under each of ``BANDS * ROWS`` hash functions."""
    if len(shingles) <= _SHORT:
        return np.asarray((shingles[:, None] * _factors()).min(axis=0), dtype=np.uint64)
    # One function at a time: a long text times all of them would take a lot of memory.
    return np.array([(shingles * factor).min() for factor in _factors()], dtype=np.uint64)


@cache
def _factors() -> Shingles:
    """Odd, so that multiplying by one maps the hashes one to one."""
    drawn = np.random.default_rng(_SEED).integers(0, 2**63, BANDS * ROWS, dtype=np.uint64)
    return drawn * np.uint64(2) + np.uint64(1)


def _candidates(signatures: Sequence[Shingles]) -> Iterator[tuple[int, int]]:
    """Pairs that agree in all rows of a band."""
    seen: set[tuple[int, int]] = set()
    for band in range(BANDS):
        buckets: dict[bytes, list[int]] = defaultdict(list)
        for number, signature in enumerate(signatures):
            buckets[signature[band * ROWS : (band + 1) * ROWS].tobytes()].append(number)
        for bucket in buckets.values():
            first, rest = bucket[:LARGEST_BUCKET], bucket[LARGEST_BUCKET:]
            pairs = [*combinations(first, 2), *((first[0], r) for r in rest)]
            for pair in pairs:
                if pair not in seen:
                    seen.add(pair)
                    yield pair


def _alike(a: Shingles, b: Shingles) -> bool:
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared >= ALIKE * (len(a) + len(b) - shared)
