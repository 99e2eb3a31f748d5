"""Classes over which documents are spread evenly, and how many of each a part gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from medsweep.corpus._base import Document, Kind

if TYPE_CHECKING:
    from numpy.random import Generator


def strata_of(documents: Sequence[Document], kind: Kind) -> list[str]:
    """The stratum of every document.

    Classification: its label. Multi-label and NER: the one of its labels or entity types that
    fewest documents have, so that rare ones are spread evenly, or ``""`` where it has none.
    """
    if kind == "classification":
        return [d.label or "" for d in documents]
    names = [
        set(d.labels or ()) if kind == "multilabel" else {s.type for s in d.spans or ()}
        for d in documents
    ]
    spread = Counter(name for of_one in names for name in of_one)
    return [min(n, key=lambda x: (spread[x], x)) if n else "" for n in names]


def pick_evenly(
    names: Sequence[Collection[str]], size: int, wanted: Mapping[str, float], rng: Generator
) -> list[int]:
    """Choose ``size`` documents so that about ``wanted`` of them have each name.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-label
    Data, ECML PKDD 2011) into what is chosen and the rest: of the names that undecided documents
    have, the rarest is looked at first, and each of its documents goes where the name is lacked
    most, or else where there is more room.

    Args:
        names: labels of each document.
        size: how many are chosen.
        wanted: for every label, how many of the chosen should have it.
        rng: draws among documents that are alike.

    Returns:
        Indices of the chosen documents.
    """
    having = Counter(name for of_one in names for name in of_one)
    lacks = ({n: wanted[n] for n in having}, {n: having[n] - wanted[n] for n in having})
    room, chosen = [size, len(names) - size], list[int]()
    undecided = dict.fromkeys(rng.permutation(len(names)).tolist())
    while undecided:
        counts = Counter(name for i in undecided for name in names[i])
        rarest = min(counts, key=lambda n: (counts[n], n), default=None)
        for i in [i for i in undecided if rarest is None or rarest in names[i]]:
            part = max(
                (p for p in (0, 1) if room[p]),
                key=lambda p: (0 if rarest is None else lacks[p][rarest], room[p]),
            )
            if part == 0:
                chosen.append(i)
            room[part] -= 1
            for name in names[i]:
                lacks[part][name] -= 1
            del undecided[i]
    return chosen


def allocate(
    available: Mapping[str, int],
    size: int,
    *,
    start: Mapping[str, int] | None = None,
    limits: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """How many of each class a part of ``size`` gets: in proportion, and none below ``start``.

    The quota method of Balinski and Young (The Quota Method of Apportionment, American
    Mathematical Monthly 82, 1975): each further place goes to the class that would next fall a
    whole document short, among those that it does not lift a whole document above their share.
    Counts stay within one of the exact share **and** never fall as ``size`` grows; largest
    remainders give the first only, and then a larger part need not hold a smaller one.

    A class is not left out where ``size`` has room for all: those without a place come first.
    Where many classes are that rare, the others lack what these are given.

    Args:
        available: documents by class.
        size: places in all.
        start: counts of the smaller part that this one continues.
        limits: most documents of a class that may be taken, ``available`` where None.
    """
    total = sum(available.values())
    limits = limits or available
    counts = {c: (start or {}).get(c, 0) for c in available}
    placed = sum(counts.values())
    if size >= len(available):
        for name in sorted(counts, key=lambda c: (-available[c], c)):
            if counts[name] == 0 and limits[name] > 0 and placed < size:
                counts[name], placed = 1, placed + 1
    while placed < size:
        placed += 1
        room = [c for c in counts if counts[c] < limits[c]]
        # Whole numbers, so that no rounding decides: counts[c] < placed * share of c.
        below = [c for c in room if counts[c] * total < placed * available[c]]
        urgent = min(below or room, key=lambda c: ((counts[c] + 1) / available[c], c))
        counts[urgent] += 1
    return counts
