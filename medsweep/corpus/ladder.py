"""Nested, stratified training subsets of growing size."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from medsweep.corpus._base import Document, Kind
from medsweep.corpus.strata import allocate, pick_evenly, strata_of
from medsweep.errors import DataError

if TYPE_CHECKING:
    from numpy.random import Generator


@dataclass(frozen=True, slots=True)
class Ladder:
    """Training subsets by draw and size.

    Attributes:
        sizes: of the training subsets, ascending.
        orders: for each draw, the documents in the order in which the sizes take them.
    """

    sizes: tuple[int, ...]
    orders: tuple[tuple[Document, ...], ...] = field(repr=False)

    def subset(self, draw: int, size: int) -> list[Document]:
        """The documents of a size; within a draw, each size holds the one before."""
        if size not in self.sizes:
            raise ValueError(f"{size} is none of the sizes {self.sizes}")
        return list(self.orders[draw][:size])


def build_ladder(
    documents: Sequence[Document],
    sizes: Sequence[int],
    draws: int,
    *,
    kind: Kind,
    seed: int,
    labels: Sequence[str] = (),
) -> Ladder:
    """Draw the ladder.

    In every size the classes (for NER see :func:`~medsweep.corpus.strata.strata_of`) are within
    one document of their share, and each has a document where the size has room for all. Of
    multi-label documents the labels are near their shares, see
    :func:`~medsweep.corpus.strata.pick_evenly`.

    Args:
        documents: what may be trained on.
        sizes: of the training subsets, in any order.
        draws: how many ladders; a draw depends on ``seed`` and its own number only.
        kind: the task.
        seed: of all draws.
        labels: classes that must be among the documents.

    Raises:
        DataError: a size exceeds what there is, or leaves a class without a document.
    """
    import numpy as np

    ascending = tuple(sorted(set(sizes)))
    documents = sorted(documents, key=lambda d: d.id)
    strata = strata_of(documents, kind)
    available = Counter(strata)
    _check_sizes(ascending, len(documents))
    if kind == "classification":
        _check_classes(ascending, available, labels)
    elif not any(d.spans or d.labels for d in documents):
        what = "a label" if kind == "multilabel" else "an entity"
        raise DataError(f"no training document has {what}", fix="add documents that have some")

    counts = [dict[str, int]()]
    for size in ascending:
        counts.append(allocate(available, size, start=counts[-1]))
    orders = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        if kind == "multilabel":
            orders.append(tuple(_evenly(documents, ascending, rng)))
            continue
        pools: dict[str, list[Document]] = {name: [] for name in sorted(available)}
        for i in rng.permutation(len(documents)):
            pools[strata[i]].append(documents[i])
        order: list[Document] = []
        for before, after in itertools.pairwise(counts):
            step = [d for c, p in pools.items() for d in p[before.get(c, 0) : after[c]]]
            order += [step[i] for i in rng.permutation(len(step))]
        orders.append(tuple(order))
    return Ladder(ascending, tuple(orders))


def _evenly(documents: Sequence[Document], sizes: Sequence[int], rng: Generator) -> list[Document]:
    """Documents by size, so that each size has labels in proportion, and one of each at least."""
    totals = Counter(name for d in documents for name in d.labels or ())
    order, left, have = list[Document](), list(documents), Counter[str]()
    for size in sizes:
        least = 1 if size >= len(totals) else 0
        wanted = {
            name: max(least, size * count / len(documents)) - have[name]
            for name, count in totals.items()
        }
        picked = pick_evenly([d.labels or () for d in left], size - len(order), wanted, rng)
        step = [left[i] for i in picked]
        order += [step[i] for i in rng.permutation(len(step))]
        have.update(name for d in step for name in d.labels or ())
        taken = set(picked)
        left = [d for i, d in enumerate(left) if i not in taken]
    return order


def _check_sizes(sizes: tuple[int, ...], count: int) -> None:
    if not sizes or sizes[0] < 1:
        raise DataError(
            "a training size is below 1", where="train_sizes", fix="name sizes of 1 and more"
        )
    if sizes[-1] > count:
        raise DataError(
            f"a training size of {sizes[-1]}, but only {count} documents are left for training "
            "after dev and test",
            where="train_sizes",
            fix=f"go no higher than {count}, or write all",
        )


def _check_classes(sizes: tuple[int, ...], available: Counter[str], labels: Sequence[str]) -> None:
    if absent := sorted(set(labels) - set(available)):
        raise DataError(
            f"no training document has the label {absent[0]!r}"
            + (f", nor {len(absent) - 1} others" if len(absent) > 1 else ""),
            where="data.train",
            fix="add documents of it, or join it with another label",
        )
    if len(available) < 2:
        raise DataError(
            "all training documents have the same label",
            where="data.train",
            fix="add documents of another label",
        )
    if sizes[0] < len(available):
        rare = min(available, key=lambda c: (available[c], c))
        raise DataError(
            f"a training size of {sizes[0]} leaves classes such as {rare!r} without a document: "
            f"there are {len(available)} classes",
            where="train_sizes",
            fix=f"start at {len(available)} or more, or join classes",
        )
