"""Which classes are rare, and how many documents of each a training set of a given size holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from medsweep.corpus._base import Document
from medsweep.corpus.strata import allocate

# With fewer examples a class is hardly learnt, and one of them may be spent on dev.
FEW = 5
# With fewer in the whole corpus, a score of the class says little: a test set holds one or two.
RARE = 10


@dataclass(frozen=True, slots=True)
class Coverage:
    """Documents of one class, or with mentions of one type.

    Attributes:
        name: the label or the type.
        documents: in the whole corpus.
        at: by training size; a whole number for classes, an expectation for what a document can
            have several of.
    """

    name: str
    documents: int
    at: dict[int, float]

    @property
    def rare_at(self) -> list[int]:
        """Sizes that hold fewer than ``FEW`` of them."""
        return [size for size, count in self.at.items() if count < FEW]


@dataclass(frozen=True, slots=True)
class Rare:
    """A class with fewer than ``RARE`` documents, or a type with fewer mentions.

    Attributes:
        name: the label or the type.
        documents: that have it.
        mentions: of the type; None for a label.
    """

    name: str
    documents: int
    mentions: int | None


def rare(documents: Sequence[Document]) -> list[Rare]:
    """Labels and types that are rare, by name."""
    labels = Counter(
        name
        for d in documents
        for name in {*(d.labels or ()), *([] if d.label is None else [d.label])}
    )
    types = Counter(t for d in documents for t in {s.type for s in d.spans or ()})
    mentions = Counter(s.type for d in documents for s in d.spans or ())
    return [
        *(Rare(name, n, None) for name, n in sorted(labels.items()) if n < RARE),
        *(Rare(name, types[name], n) for name, n in sorted(mentions.items()) if n < RARE),
    ]


def coverage(documents: Sequence[Document], sizes: Sequence[int]) -> list[Coverage]:
    """Of every label or, where there are none, of every type, by the sizes up to the corpus's.

    Classes as the ladder allots them; of labels and types that come several a document, the mean.
    """
    sizes = [s for s in sizes if s <= len(documents)]
    labels = Counter(d.label for d in documents if d.label is not None)
    if labels:
        available = dict(sorted(labels.items()))
        total = sum(available.values())
        parts = {s: allocate(available, min(s, total)) for s in sizes}
        return [
            Coverage(name, n, {s: part[name] for s, part in parts.items()})
            for name, n in available.items()
        ]
    types = Counter(
        t for d in documents for t in {*(d.labels or ()), *(s.type for s in d.spans or ())}
    )
    return [
        Coverage(name, n, {s: n * s / len(documents) for s in sizes})
        for name, n in sorted(types.items())
    ]
