"""Which training documents become examples of a prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from medsweep.corpus import Document

# Robertson & Zaragoza 2009, doi:10.1561/1500000019, section 3.5: their usual values.
_K1, _B = 1.2, 0.75


Selection = Literal["random", "bm25"]
# From a document to its examples.
ExampleSelector = Callable[[Document], list[Document]]


def example_selector(
    train: Sequence[Document], k: int, selection: Selection, seed: int
) -> ExampleSelector:
    """Chooses the examples of a document, at most ``k``.

    ``random`` gives the same examples for every document, drawn over the classes in turn.
    ``bm25`` gives the most similar ones, the most similar last, next to the question.
    """
    labelled = [d for d in train if d.has_gold]
    if selection == "bm25" and labelled:
        return _Bm25(labelled, k)
    sample = _balanced_sample(labelled, k, seed)
    return lambda _: sample


def _balanced_sample(train: Sequence[Document], k: int, seed: int) -> list[Document]:
    """Over the classes in turn, in an order that the seed draws; mentions count by their type.

    A document of several labels or types stands for the one that the fewest documents have.
    """
    rng = np.random.default_rng(seed)
    counts = Counter(name for d in train for name in _names(d))
    by_name: dict[str, list[Document]] = {}
    for i in rng.permutation(len(train)):
        # Of equally rare names the first, so that a document is always in the same group.
        rarest = min(_names(train[i]), key=lambda name: (counts[name], name), default="")
        by_name.setdefault(rarest, []).append(train[i])
    # As the shuffled documents come: by name, k examples would never show the last classes.
    groups = list(by_name.values())
    rows = range(max(map(len, groups), default=0))
    sample = [group[row] for row in rows for group in groups if row < len(group)][:k]
    return [sample[i] for i in rng.permutation(len(sample))]


def _names(document: Document) -> set[str]:
    if document.label is not None:
        return {document.label}
    return {*(document.labels or ()), *(s.type for s in document.spans or ())}


class _Bm25:
    """Okapi BM25 over words."""

    def __init__(self, train: Sequence[Document], k: int) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        self._train, self._k = train, k
        self._words = CountVectorizer(token_pattern=r"\w+")
        counts = self._words.fit_transform([f"{d.text} 0" for d in train]).tocsr().astype(float)
        lengths = np.asarray(counts.sum(axis=1)).ravel()
        documents = np.bincount(counts.indices, minlength=counts.shape[1])
        rows = np.repeat(np.arange(len(train)), np.diff(counts.indptr))
        bound = _K1 * (1 - _B + _B * lengths[rows] / lengths.mean())
        idf = np.log1p((len(train) - documents + 0.5) / (documents + 0.5))
        counts.data = idf[counts.indices] * counts.data * (_K1 + 1) / (counts.data + bound)
        self._weights = counts

    def __call__(self, document: Document) -> list[Document]:
        query = self._words.transform([document.text])
        scores = np.asarray((self._weights @ query.T).todense()).ravel()
        order = np.argsort(-scores, kind="stable")[: self._k]
        return [self._train[i] for i in order[::-1]]
