import random

import pytest

from medsweep.corpus import Document
from medsweep.corpus.near_duplicates import ALIKE, SHINGLE, near_duplicates


def texts(count: int, words: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [
        " ".join("".join(rng.choices("abcdefghij", k=6)) for _ in range(words))
        for _ in range(count)
    ]


def jaccard(a: str, b: str) -> float:
    of_a, of_b = ({t[i : i + SHINGLE] for i in range(len(t) - SHINGLE + 1)} for t in (a, b))
    return len(of_a & of_b) / len(of_a | of_b)


@pytest.mark.parametrize("changed", [1, 2, 4, 6])
def test_finds_what_comparing_every_pair_finds(changed: int) -> None:
    originals = texts(40, 60, 0)
    copies = [
        " ".join(t.split()[changed:] + n.split())
        for t, n in zip(originals, texts(40, changed, 1), strict=True)
    ]
    a = [Document(f"a{i}", t) for i, t in enumerate(originals)]
    b = [Document(f"b{i}", t) for i, t in enumerate(copies)]
    found = near_duplicates({"a": a, "b": b})
    expected = [f"a{i}" for i in range(40) if jaccard(originals[i], copies[i]) >= ALIKE]
    assert found["a"]["b"] == expected
    assert found["a"]["a"] == found["b"]["b"] == []
    assert len(expected) == (40 if changed < 6 else len(expected))


def test_exact_repeats_are_not_near_ones() -> None:
    (text,) = texts(1, 30, 0)
    a = [Document("1", text), Document("2", f" {text.upper()}")]
    assert near_duplicates({"a": a, "b": a}) == {
        "a": {"a": [], "b": []},
        "b": {"a": [], "b": []},
    }


def test_many_of_one_template_and_texts_shorter_than_a_shingle() -> None:
    (text,) = texts(1, 60, 0)
    letters = [Document(f"{i}", f"{text} {i}") for i in range(300)]
    short = [Document(f"s{c}", c) for c in "abc"]
    assert len(near_duplicates({"a": [*letters, *short]})["a"]["a"]) == 300
