"""How hard are the synthetic samples? Baselines without any language model, on their test sets.

    nice python benchmarks/samples.py                 # the tables of docs/samples.md
    nice python benchmarks/samples.py --seed 1        # another corpus of the same grammar

Prints markdown. Baselines are written out here in full, so that the tables depend on nothing of
medsweep but the generator.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from medsweep.corpus.samples import write_sample

SIZES, SHORT_SIZES, DRAWS = (50, 100, 200, 400), (100, 200, 300), 5

# The keywords of the i2b2 challenge, less what everybody knows to be something else.
_KEYWORD = re.compile(
    r"smok(?!ed (?:salmon|ham)|e (?:inhalation|exposure|detector))|tobac|cigar|pack-year|\bppd\b",
    re.IGNORECASE,
)
# In this order: the first that stands in a sentence with a keyword decides.
_RULES = (
    ("NON-SMOKER", re.compile(r"\bnever|\bden(?:y|ies)|non-?smok|\bno\b|\bnot\b", re.IGNORECASE)),
    ("PAST SMOKER", re.compile(r"quit|stopp|former|\bex-|used to|discontinu|\bsince\b", re.I)),
    ("CURRENT SMOKER", re.compile(r"smokes|smoking|continu|current|active|still|\bday\b", re.I)),
)


def keyword_rule(text: str) -> str:
    for sentence in re.split(r"(?<=[.:;])\s+|\n", text):
        if _KEYWORD.search(sentence):
            for status, pattern in _RULES:
                if pattern.search(sentence):
                    return status
            return "SMOKER"
    return "UNKNOWN"


def smoking(folder: Path, sizes: Sequence[int] = SIZES) -> None:
    (texts, labels), (test_texts, gold) = (
        records(folder / f"{split}.xml") for split in ("train", "test")
    )
    print(f"{len(texts)} training and {len(gold)} test documents, macro-F1 and accuracy on test.\n")
    print("| baseline | labels | macro-F1 | accuracy |\n| --- | --- | --- | --- |")
    most = Counter(labels).most_common(1)[0][0]
    row("majority", "-", [(gold, [most] * len(gold))])
    row("keyword rule", "0", [(gold, [keyword_rule(text) for text in test_texts])])
    for size in sizes:
        predictions = []
        for draw in range(DRAWS if size < len(texts) else 1):
            some, chosen = texts, labels
            if size < len(texts):
                some, _, chosen, _ = train_test_split(
                    texts, labels, train_size=size, stratify=labels, random_state=draw
                )
            model = make_pipeline(
                TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
                LogisticRegression(C=10, class_weight="balanced", max_iter=2000),
            ).fit(some, chosen)
            predictions.append((gold, list(model.predict(test_texts))))
        row("TF-IDF, logistic regression", str(size), predictions)


def row(name: str, labels: str, predictions: list[tuple[list[str], list[str]]]) -> None:
    scores = [
        (f1_score(gold, said, average="macro", zero_division=0), accuracy_score(gold, said))
        for gold, said in predictions
    ]
    macro, accuracy = np.mean(scores, axis=0)
    print(f"| {name} | {labels} | {macro:.3f} | {accuracy:.3f} |")


def records(path: Path) -> tuple[list[str], list[str]]:
    root = ElementTree.parse(path).getroot()
    return (
        [record.findtext("TEXT", "") for record in root],
        [record.find("SMOKING").get("STATUS", "") for record in root],  # type: ignore[union-attr]
    )


def cardiology(folder: Path) -> None:
    train, test = (
        [json.loads(line) for line in (folder / f"{split}.jsonl").read_text("utf-8").splitlines()]
        for split in ("train", "test")
    )
    print(f"{len(train)} training and {len(test)} test documents, exact-span F1 on test.\n")
    print("| baseline | labels | span F1 | precision | recall |\n| --- | --- | --- | --- | --- |")
    print("| majority (no spans) | - | 0.000 | - | 0.000 |")
    for size in (25, 50, 100, 240):
        found = np.zeros(3)
        for draw in range(DRAWS):
            order = np.random.default_rng(draw).permutation(len(train))[:size]
            found += lookup([train[i] for i in order], test)
        right, said, gold = found
        print(
            f"| list of the training mentions | {min(size, len(train))} "
            f"| {2 * right / (said + gold):.3f} | {right / said:.3f} | {right / gold:.3f} |"
        )


def lookup(train: list[dict], test: list[dict]) -> np.ndarray:
    """Every surface of training is a mention of its most frequent type, the longest first."""
    types: dict[str, Counter] = defaultdict(Counter)
    for document in train:
        for span in document["entities"]:
            types[document["text"][span["start"] : span["end"]]][span["type"]] += 1
    longest_first = sorted(types, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
    right = said = gold = 0
    for document in test:
        spans = {(s["start"], s["end"], s["type"]) for s in document["entities"]}
        guess = {
            (m.start(), m.end(), types[m[0]].most_common(1)[0][0])
            for m in pattern.finditer(document["text"])
        }
        right, said, gold = right + len(spans & guess), said + len(guess), gold + len(spans)
    return np.array([right, said, gold])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the corpora")
    seed = parser.parse_args().seed
    samples = {
        "smoking": smoking,
        "smoking-short": partial(smoking, sizes=SHORT_SIZES),
        "cardiology": cardiology,
        "cardiology-findings": cardiology,
    }
    for name, baselines in samples.items():
        print(f"\n### {name}\n")
        with tempfile.TemporaryDirectory() as folder:
            write_sample(name, folder, seed=seed)
            baselines(Path(folder))


if __name__ == "__main__":
    main()
