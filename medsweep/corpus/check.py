"""All that `medsweep data check` finds, as JSON holds it: counts, names and ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

from medsweep.corpus._base import Changes, Document
from medsweep.corpus.coverage import coverage, rare
from medsweep.corpus.near_duplicates import near_duplicates
from medsweep.corpus.quality import MOST_IDS, find_damage
from medsweep.corpus.summary import compare, summarise


def changed_mentions(
    documents: Iterable[Document], changes: Changes
) -> tuple[list[Document], dict[str, list[str]]]:
    """The documents of a reader, and the ids of those whose mentions reading changed, by kind.

    Args:
        documents: as they are read, one after the other.
        changes: what reading adds to: what is new with a document happened to it.
    """
    read, ids, before = list[Document](), dict[str, list[str]](), Counter[str]()
    for document in documents:
        read.append(document)
        for kind in (k for k in changes - before if k in changes.of_mentions):
            ids.setdefault(kind, []).append(document.id)
        before = Counter(changes)
    return read, ids


def check_corpora(
    corpora: Mapping[str, Sequence[Document]],
    changes: Mapping[str, Mapping[str, int]],
    changed: Mapping[str, Mapping[str, list[str]]],
    sizes: Sequence[int] = (),
) -> dict[str, Any]:
    """``{"files": {name: …}, "shared": [one for each pair of files]}``.

    Args:
        corpora: documents by the name of their file.
        changes: what reading each of them changed.
        changed: ids of those whose mentions were, by kind; see :func:`changed_mentions`.
        sizes: training sizes, for which classes are counted.
    """
    near = near_duplicates(corpora)
    files = {
        name: {
            **summarise(documents).to_dict(),
            "changes": dict(sorted(changes[name].items())),
            "changed": {kind: _shown(ids) for kind, ids in sorted(changed[name].items())},
            "damage": [asdict(f) for f in find_damage(documents)],
            "near_duplicates": _shown(near[name][name]),
            "rare": [asdict(r) for r in rare(documents)],
            "coverage": [
                {**asdict(c), "rare_at": c.rare_at} for c in coverage(documents, sizes) if sizes
            ],
        }
        for name, documents in corpora.items()
    }
    shared = [
        {
            "files": [a, b],
            **compare(corpora[a], corpora[b]),
            "near_duplicates": [_shown(near[a][b]), _shown(near[b][a])],
        }
        for a, b in combinations(corpora, 2)
    ]
    return {"files": files, "shared": shared}


def _shown(ids: list[str]) -> dict[str, Any]:
    return {"documents": len(ids), "ids": ids[:MOST_IDS]}
