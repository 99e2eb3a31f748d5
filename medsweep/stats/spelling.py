"""Labels that only look different are refused by name: each would count as a wrong answer.

A candidate would then match a reference whose labels are written in another way. What
:func:`medsweep.stats.values.label_text` makes equal is the same label; what is left is for people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from medsweep.errors import DataError
from medsweep.stats.frame import Panel
from medsweep.stats.values import glance, look, names_of

# A system whose labels are gold's in fewer than this share of its answers has other labels.
LEAST_KNOWN = 0.05
# So many labels or mentions tell nothing of how a system writes them.
FEW = 5
NOUNS = {"classification": "label", "multilabel": "label", "ner": "entity type"}
FIX = "write labels, entity types and fields of attributes as gold does"


def check_panel(panel: Panel, task: str, metric: str) -> None:
    """Refuse gold without anything to find, and labels that are not gold's.

    Raises:
        DataError: names the labels and the system.
    """
    for fields in (False, True) if metric == "attribute_f1" else (False,):
        noun = "attribute" if fields else NOUNS[task]
        gold = count_names(task, panel.gold, "predictions: gold", fields=fields)
        if not gold and metric != "exact_match":
            raise DataError(
                f"no document has any {noun}, so {metric} is not defined",
                where="predictions: gold",
                fix="give annotated documents",
            )
        check_gold(task, gold, "predictions: gold")
        for entry in panel.entries:
            where = f"predictions: {entry.place}"
            values = panel.preds[list(entry.rows)].ravel()
            predicted = count_names(task, values, where, fields=fields)
            # The majority of the training documents may well be a class that the test set lacks.
            check_names(task, gold, predicted, where, others=entry.arm == "majority" or not gold)


def count_names(
    kind: str, values: Iterable[str], where: str, *, fields: bool = False
) -> Counter[str]:
    """How often each label, entity type or (``fields``) field of attributes occurs."""
    found: Counter[str] = Counter()
    for value, times in Counter(values).items():
        for name in names_of(kind, value, where, fields=fields):
            found[name] += times
    return found


def check_gold(kind: str, names: Iterable[str], where: str) -> None:
    """Refuse gold that writes one label in two ways.

    Raises:
        DataError: names both.
    """
    pair = _alike(names, names, glance)
    if pair:
        raise DataError(
            f"gold has the {NOUNS[kind]}s {pair[0]!r} and {pair[1]!r}, which only look different",
            where=where,
            fix="write each label in one way, or rename one",
        )


def check_names(
    kind: str,
    gold: Collection[str],
    predicted: Mapping[str, int],
    where: str,
    *,
    others: bool = False,
) -> None:
    """Refuse predictions whose labels are not gold's, but look like them, or are others at all.

    Args:
        kind: of the task.
        gold: labels, entity types or fields that gold has.
        predicted: those of a system, and how often.
        where: the system.
        others: whether its labels may be others than gold's.

    Raises:
        DataError: names the two labels, or the most frequent unknown one.
    """
    noun = NOUNS[kind]
    pair = _alike([name for name in predicted if name not in gold], gold, look)
    if pair:
        raise DataError(
            f"predicts {pair[0]!r}, which gold writes {pair[1]!r}", where=where, fix=FIX
        )
    total = sum(predicted.values())
    known = sum(times for name, times in predicted.items() if name in gold)
    if not others and total >= FEW and known < LEAST_KNOWN * total:
        first = max(sorted(predicted), key=lambda name: predicted[name] * (name not in gold))
        # What is written once may be words of a document.
        often = f"; most often it predicts {first!r}" if predicted[first] >= FEW else ""
        raise DataError(f"{known} of its {total} {noun}s are gold's{often}", where=where, fix=FIX)


def _alike(
    names: Iterable[str], known: Iterable[str], key: Callable[[str], str]
) -> tuple[str, str] | None:
    """The first of ``names`` that is not itself known but has the key of one that is."""
    by_key = {key(name): name for name in sorted(known, reverse=True)}
    found = ((name, by_key.get(key(name), name)) for name in sorted(names))
    return next(((name, other) for name, other in found if name != other), None)
