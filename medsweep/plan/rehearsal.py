"""The verdict's own checks, before anything is trained.

What is decided on at the end is known now but for the predictions: gold, groups, the classes that
can be predicted, imported tables. Made-up systems without an error stand for the others, so that
what the verdict would refuse, or could never show, is said by the plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd

from medsweep.arms import make_arm
from medsweep.config import SourceConfig
from medsweep.errors import DataError
from medsweep.plan.plan import Plan
from medsweep.stats.decide import decide
from medsweep.stats.frame import COLUMNS
from medsweep.stats.spelling import check_gold, check_names, count_names
from medsweep.tasks import make_task

RESAMPLES = 500


def rehearse(plan: Plan) -> list[str]:
    """Check gold, groups and classes as the verdict will.

    Args:
        plan: complete but for these notes.

    Returns:
        Notes: what these test documents cannot show, however good the models are.

    Raises:
        DataError: the verdict would be refused.
    """
    source = plan.sweep.data.test
    where = str((source if isinstance(source, SourceConfig) else plan.sweep.data.train).path)
    _check_units(plan, where)
    _check_classes(plan, where)
    _check_tables(plan)
    return [*_partly_grouped(plan), *_shows(plan, where)]


def _check_units(plan: Plan, where: str) -> None:
    names = {plan.groups.get(i, "") for i in plan.gold}
    if len(plan.gold) == 1:
        problem = "there is one test document, which shows nothing of others"
    elif plan.groups and len(names) == 1:
        problem = (
            f"the {len(plan.gold)} test documents are all of one group, which shows nothing of "
            "others"
        )
    else:
        return
    raise DataError(problem, where=where, fix="add test documents of others, such as patients")


def _check_classes(plan: Plan, where: str) -> None:
    """What is learnt from the training documents must be written as gold is."""
    work = plan.workload
    learnt = f"{plan.sweep.data.train.path}: what is trained on it"
    for fields in (False, True) if work.metric == "attribute_f1" else (False,):
        gold = count_names(work.kind, plan.gold.values(), f"{where}: gold", fields=fields)
        check_gold(work.kind, gold, where)
        known = Counter(work.attributes if fields else work.labels)
        check_names(work.kind, gold, known, learnt, others=True)


def _check_tables(plan: Plan) -> None:
    """Imported predictions have every test document, and classes of gold."""
    work = plan.workload
    task = make_task(work.kind, work.labels, work.metric, work.attributes)
    gold = count_names(work.kind, plan.gold.values(), "gold")
    tested = [d for fold in work.folds for d in fold.test]
    for arm in work.arms:
        if arm.arm != "predictions":
            continue
        made = make_arm(arm.arm, task, options=arm.options).predict([], tested, seed=0)
        place = str(arm.options["path"])
        predicted = count_names(work.kind, map(task.value, made), place)
        check_names(work.kind, gold, predicted, place, others=not gold)


def _partly_grouped(plan: Plan) -> list[str]:
    alone = len(plan.gold) - len(plan.groups)
    if not plan.groups or not alone:
        return []
    return [
        f"{alone} of {len(plan.gold)} test documents have no group: each is taken as one of its own"
    ]


def _shows(plan: Plan, where: str) -> list[str]:
    """What not even systems without an error could show on these documents."""
    decision, reference = plan.sweep.decide, plan.reference
    try:
        verdict = decide(
            pd.DataFrame(_flawless(plan), columns=COLUMNS),
            task=plan.workload.kind,
            metric=plan.workload.metric,
            reference={"arm": reference["arm"], "model": reference["model"] or ""},
            margin=decision.margin,
            alpha=decision.alpha,
            params={name: folder.parameters for name, folder in plan.folders.items()},
            groups=dict(plan.groups) or None,
            seed=plan.sweep.seed,
            systems=decision.systems,
            sensitivity=decision.sensitivity,
            resamples=RESAMPLES,
        )
    except DataError as error:
        raise DataError(error.problem, where=where, fix=error.fix) from None
    if verdict.smallest is not None:
        return []
    same = "all test documents have the same gold; " if len(set(plan.gold.values())) == 1 else ""
    return [f"{same}not even models without an error would be shown to match: {verdict.reason}"]


def _flawless(plan: Plan) -> Iterator[tuple[Any, ...]]:
    """Rows of the reference, each model and each other arm, as if all were right."""
    work, reference = plan.workload, plan.reference
    sizes = {cell.key for cell in plan.cells}
    largest = dict(sorted(sizes))
    systems = {("finetuned", model, size) for model, size in largest.items()}
    if reference["arm"] == "finetuned":
        # As a candidate, too, it is one with fewer labels.
        systems |= {("finetuned", m, n) for m, n in sizes if m == reference["model"]}
    slugs = {model.id: name for name, model in work.models.items()}
    systems |= {(a.arm, slugs[a.model.id] if a.model else "", 0) for a in work.arms}
    for arm, model, size in sorted(systems):
        for draw in range(min(2, work.draws) if arm == "finetuned" else 1):
            for doc_id, gold in plan.gold.items():
                yield arm, model, size, draw, doc_id, gold, gold
