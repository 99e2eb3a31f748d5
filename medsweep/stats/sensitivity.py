"""Assay sensitivity: is the reference worth matching at all?

A candidate as bad as a bad reference is non-inferior to it. The trial must have been able to tell
a good system from a useless one (ICH E10, section 1.5): the lower bound of reference − majority
has to exceed the margin, or else whatever loses no more than the margin may be useless. The gate
comes before all claims and can only forbid them, so it spends no alpha.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from medsweep.stats.frame import Entry, Panel
from medsweep.stats.judge import Judge
from medsweep.stats.systems import FLOOR, PLAIN, base_arm
from medsweep.stats.values import decode_labels, label_text
from medsweep.stats.verdict import Baseline, Sensitivity


def with_floor(panel: Panel, task: str) -> tuple[Panel, Entry]:
    """The panel with the majority of its own gold as one more system, and that system."""
    value = majority_value(task, panel.gold.tolist(), panel.ids)
    row = np.full((1, len(panel.ids)), value, dtype=object)
    floor = Entry(FLOOR, None, None, (0,), (len(panel.preds),))
    return replace(panel, preds=np.concatenate([panel.preds, row])), floor


def majority_value(task: str, gold: Sequence[str], ids: Sequence[str]) -> str:
    """What one answers without reading: the most frequent label of gold, or no mention.

    Multi-label: the labels that at least half of the documents have.
    """
    if task == "ner":
        return "[]"
    if task == "classification":
        counts = Counter(map(label_text, gold))
        return min(counts, key=lambda name: (-counts[name], name))
    counts = Counter()
    for name, value in zip(ids, gold, strict=True):
        counts.update(decode_labels(value, f"document {name}: gold"))
    usual = sorted(label for label, times in counts.items() if 2 * times >= len(gold))
    return json.dumps(usual, ensure_ascii=False)


def assay(judge: Judge, floor: Entry, entries: Sequence[Entry]) -> Sensitivity:
    """Hold the reference against the majority, and beside the best of the plain arms.

    Args:
        judge: of the verdict.
        floor: the majority of gold.
        entries: every system of the table.
    """
    bound = judge.against(floor, -judge.margin)
    plain = [e for e in entries if base_arm(e.arm) in PLAIN and e != judge.reference]
    best = max(plain, key=judge.evidence.mean, default=None)
    return Sensitivity(
        passed=bound.p_value <= judge.alpha,
        majority=judge.evidence.mean(floor),
        diff=bound.diff,
        diff_lower=bound.lower,
        p_value=bound.p_value,
        best_plain=None if best is None else _baseline(judge, best),
    )


def _baseline(judge: Judge, entry: Entry) -> Baseline:
    bound = judge.against(entry, judge.margin)
    return Baseline(
        arm=entry.arm,
        model=entry.model,
        train_size=entry.train_size,
        score=judge.evidence.mean(entry),
        diff=bound.diff,
        diff_lower=bound.lower,
    )
