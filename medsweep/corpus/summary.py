"""What a corpus holds, in numbers and names; never text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median_low
from typing import Any

from medsweep.corpus._base import Document, Span
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
        mention_characters: ``median`` and ``longest`` by entity type, in code points; of a
            mention in several pieces without what lies between.
        nested: mentions within another one, or at the same place.
        overlapping: mentions that share characters with another one, neither within the other.
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
    mention_characters: Mapping[str, Mapping[str, int]]
    nested: int
    overlapping: int
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
    entangled = [_entangled(d.spans or ()) for d in documents]
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
        mention_characters=_mention_characters(spans),
        nested=sum(nested for nested, _ in entangled),
        overlapping=sum(overlapping for _, overlapping in entangled),
        discontinuous=sum(bool(s.fragments) for s in spans),
        groups=len({d.group for d in documents if d.group is not None}),
        characters={p: lengths[round(p / 100 * (len(lengths) - 1))] for p in PERCENTILES}
        if lengths
        else {},
        repeats=without_repeats(documents)[1],
    )


def _counted(names: Any) -> dict[str, int]:
    return dict(sorted(Counter[str](names).items()))


def _mention_characters(spans: Sequence[Span]) -> dict[str, dict[str, int]]:
    found = defaultdict[str, list[int]](list)
    for span in spans:
        pieces = span.fragments or ((span.start, span.end),)
        found[span.type].append(sum(end - start for start, end in pieces))
    return {
        type_: {"median": median_low(lengths), "longest": max(lengths)}
        for type_, lengths in sorted(found.items())
    }


def _entangled(spans: Sequence[Span]) -> tuple[int, int]:
    """Of a document, how many mentions are nested, and how many overlap."""
    spans = sorted(spans)
    nested, overlapping = set[int](), set[int]()
    for n, first in enumerate(spans):
        for m, second in enumerate(spans[n + 1 :], n + 1):
            if second.start >= first.end:
                break
            # The second starts no earlier than the first.
            if second.end <= first.end:
                nested.add(m)
            if second.start == first.start and second.end >= first.end:
                nested.add(n)
            if second.start > first.start and second.end > first.end:
                overlapping |= {n, m}
    return len(nested), len(overlapping)


def compare(a: Sequence[Document], b: Sequence[Document]) -> dict[str, int]:
    """What two corpora share: texts, ids and groups."""
    return {
        "texts": len({text_key(d) for d in a} & {text_key(d) for d in b}),
        "ids": len({d.id for d in a} & {d.id for d in b}),
        "groups": len(leaking_groups(a, b)),
    }
