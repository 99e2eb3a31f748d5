"""All that `medsweep data check` finds, as JSON holds it: counts, names and ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

from medsweep.corpus._base import Document
from medsweep.corpus.coverage import coverage
from medsweep.corpus.near_duplicates import near_duplicates
from medsweep.corpus.quality import MOST_IDS, find_damage
from medsweep.corpus.summary import compare, summarise


def check_corpora(
    corpora: Mapping[str, Sequence[Document]],
    changes: Mapping[str, Mapping[str, int]],
    sizes: Sequence[int] = (),
) -> dict[str, Any]:
    """``{"files": {name: …}, "shared": [one for each pair of files]}``.

    Args:
        corpora: documents by the name of their file.
        changes: what reading each of them changed.
        sizes: training sizes, for which classes are counted.
    """
    near = near_duplicates(corpora)
    files = {
        name: {
            **summarise(documents).to_dict(),
            "changes": dict(sorted(changes[name].items())),
            "damage": [asdict(f) for f in find_damage(documents)],
            "near_duplicates": _shown(near[name][name]),
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
