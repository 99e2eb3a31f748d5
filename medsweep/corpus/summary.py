"""What a corpus holds, in numbers and names; never text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from medsweep.corpus._base import Document
from medsweep.corpus.duplicates import Repeats, text_key, without_repeats
from medsweep.corpus.splits import leaking_groups

PERCENTILES = (0, 25, 50, 75, 95, 100)


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of one corpus.

    Attributes:
        documents: how many.
        unlabelled: documents with neither label nor labels nor spans (``()`` is annotated).
        labels: documents by label.
        types: mentions by entity type.
        attributes: mentions by field that they have a value in.
        discontinuous: mentions in several pieces.
        groups: distinct groups.
        characters: percentiles of the texts' lengths in code points.
        repeats: repeated texts.
    """

    documents: int
    unlabelled: int
    labels: Mapping[str, int]
    types: Mapping[str, int]
    attributes: Mapping[str, int]
    discontinuous: int
    groups: int
    characters: Mapping[int, int]
    repeats: Repeats

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def summarise(documents: Sequence[Document]) -> Summary:
    """Count what a corpus holds."""
    spans = [s for d in documents for s in d.spans or ()]
    lengths = sorted(len(d.text) for d in documents)
    return Summary(
        documents=len(documents),
        unlabelled=sum(not d.has_gold for d in documents),
        labels=_counted(
            name
            for d in documents
            for name in {*(d.labels or ()), *([] if d.label is None else [d.label])}
        ),
        types=_counted(s.type for s in spans),
        attributes=_counted(field for s in spans for field, _ in s.attributes),
        discontinuous=sum(bool(s.fragments) for s in spans),
        groups=len({d.group for d in documents if d.group is not None}),
        characters={p: lengths[round(p / 100 * (len(lengths) - 1))] for p in PERCENTILES}
        if lengths
        else {},
        repeats=without_repeats(documents)[1],
    )


def _counted(names: Any) -> dict[str, int]:
    return dict(sorted(Counter[str](names).items()))


def compare(a: Sequence[Document], b: Sequence[Document]) -> dict[str, int]:
    """What two corpora share: texts, ids and groups."""
    return {
        "texts": len({text_key(d) for d in a} & {text_key(d) for d in b}),
        "ids": len({d.id for d in a} & {d.id for d in b}),
        "groups": len(leaking_groups(a, b)),
    }
