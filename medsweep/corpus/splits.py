"""Dividing documents: stratified, and never through a group."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from medsweep.corpus._base import Document, Kind
from medsweep.corpus.strata import allocate, strata_of
from medsweep.errors import DataError


def hold_out(
    documents: Sequence[Document], amount: float | int, *, kind: Kind, seed: int
) -> tuple[list[Document], list[Document]]:
    """Set some documents aside: ``(rest, held)``, both in the order of ``documents``.

    Stratified as in the ladder; the last document of a class stays in the rest. Documents of a
    group stay together, so that with groups the amount is met as nearly as they allow, and
    exactly without. The same seed holds out the same documents, in whatever order they come.

    Args:
        documents: what is divided.
        amount: a share between 0 and 1 (float), or a number of documents (int).
        kind: the task.
        seed: which documents are taken.

    Raises:
        DataError: the amount does not fit, or groups are too large for it.
    """
    import numpy as np

    wanted = _number(amount, len(documents))
    strata = strata_of(documents, kind)
    available = dict(sorted(Counter(strata).items()))
    classes = {name: n for n, name in enumerate(available)}
    limits = {name: n - 1 for name, n in available.items()}
    if sum(limits.values()) < wanted:
        raise DataError(
            f"holding out {wanted} of {len(documents)} documents leaves a class without one",
            fix=f"hold out fewer: {sum(limits.values())} at most",
        )
    aims = allocate(available, wanted, limits=limits)
    aim, most = np.array([*aims.values()]), np.array([*limits.values()])

    units = _units(documents)
    held, taken = np.zeros_like(aim), set[int]()
    for i in np.random.default_rng(seed).permutation(len(units)):
        gain = np.bincount([classes[strata[m]] for m in units[i]], minlength=len(classes))
        after = held + gain
        # Taken in random order where it brings the counts nearer: taking the best first would
        # hold out the largest groups.
        nearer = np.sum((aim - after) ** 2) < np.sum((aim - held) ** 2)
        if nearer and np.all((after <= most) | (gain == 0)):
            held = after
            taken.update(units[i])
    if 2 * len(taken) < wanted:
        raise DataError(
            f"groups are too large: of {wanted} documents only {len(taken)} can be held out",
            fix="hold out more, or check the group column",
        )
    return (
        [d for n, d in enumerate(documents) if n not in taken],
        [d for n, d in enumerate(documents) if n in taken],
    )


def _number(amount: float | int, available: int) -> int:
    """The amount as a number of documents, which leaves at least one."""
    if isinstance(amount, float) and not 0 < amount < 1:
        raise DataError(
            f"cannot hold out a share of {amount:g}", fix="name a share between 0 and 1, or a count"
        )
    wanted = max(1, round(amount * available)) if isinstance(amount, float) else amount
    if not 1 <= wanted < available:
        raise DataError(
            f"cannot hold out {wanted} of {available} documents",
            fix="hold out fewer, or add some; of repeated texts one counts (`medsweep data check`)",
        )
    return wanted


def _units(documents: Sequence[Document]) -> list[list[int]]:
    """Positions of documents that must stay together, in an order that ids alone decide."""
    units: dict[tuple[bool, str], list[int]] = defaultdict(list)
    for position, document in enumerate(documents):
        grouped = document.group is not None
        units[grouped, document.group or document.id].append(position)
    return [units[key] for key in sorted(units)]


def folds(
    documents: Sequence[Document], k: int, *, kind: Kind, seed: int
) -> list[tuple[list[Document], list[Document]]]:
    """Divide into ``k`` stratified parts: each in turn judges, ``(rest, judged)``.

    Every document judges once, and a group only in one part.

    Raises:
        DataError: there are fewer documents or groups than parts, or a class would be missing
            from the training documents of a part.
    """
    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    documents = sorted(documents, key=lambda d: d.id)
    strata = strata_of(documents, kind)
    number = {position: n for n, unit in enumerate(_units(documents)) for position in unit}
    units = [number[i] for i in range(len(documents))]
    count = len(set(units))
    if count < k:
        what = "groups" if count < len(documents) else "documents"
        raise DataError(
            f"{k} folds need as many {what}, and there are {count}",
            where="data.evaluation.folds",
            fix="lower the number of folds",
        )
    splitter = StratifiedKFold if count == len(documents) else StratifiedGroupKFold
    split = splitter(k, shuffle=True, random_state=seed).split
    with warnings.catch_warnings():
        # Classes rarer than folds are fine as long as every rest has them, checked below.
        warnings.simplefilter("ignore", UserWarning)
        # Scikit-learn refuses to stratify over classes that all are rarer than folds.
        classes = strata if max(Counter(strata).values()) >= k else [""] * len(strata)
        parts = list(split(np.zeros(len(documents)), classes, units))
    divided = [([documents[i] for i in rest], [documents[i] for i in part]) for rest, part in parts]
    if kind == "classification":
        _check_rests([rest for rest, _ in divided], set(strata))
    return divided


def _check_rests(rests: Iterable[Sequence[Document]], classes: set[str]) -> None:
    for rest in rests:
        if missing := classes - {d.label for d in rest}:
            raise DataError(
                f"all documents of label {min(missing)!r} fall into one fold",
                where="data.evaluation",
                fix="add documents of it from other groups, or join it with another label",
            )


def leaking_groups(a: Iterable[Document], b: Iterable[Document]) -> set[str]:
    """Groups that have documents on both sides."""
    groups = {d.group for d in a} & {d.group for d in b}
    return {g for g in groups if g is not None}
