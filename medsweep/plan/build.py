"""A sweep file becomes a plan: corpus, folds, ladders, models, arms, cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import ceil

from medsweep.config import ArmConfig, Sweep
from medsweep.errors import raise_all
from medsweep.plan.arms import check_arms, list_arms
from medsweep.plan.division import Division, build_folds, digest_of, divide, read_corpus
from medsweep.plan.inputs import input_problems
from medsweep.plan.models import model_notes, named_models, resolve_models, tokenizer_notes
from medsweep.plan.overlap import without_overlap
from medsweep.plan.plan import Fold, Plan, Workload
from medsweep.record.trial import Cell
from medsweep.tasks import Task, head_labels, labels_of, make_task

# Under ``strategy: frontier``, the share of a size's recipes that the next larger one takes over.
KEPT = 1 / 3

# Documents that show how much of the text a tokenizer knows.
READ = 200


def make_plan(sweep: Sweep, begin: Callable[[str], None] = lambda _: None) -> Plan:
    """Read the corpus and resolve the models.

    Args:
        sweep: as its file has it.
        begin: is told what is being done, whenever something else begins.

    Raises:
        InputErrors, DataError, ConfigError, ModelError: the input cannot carry this sweep.
    """
    raise_all(input_problems(sweep))
    begin("looking for the models")
    slugs, folders, checked = resolve_models(sweep)
    begin("reading documents")
    read = read_corpus(sweep)
    begin("dividing documents, drawing the ladder")
    divisions, overlap = without_overlap(divide(sweep, read), sweep.data.near_duplicates)
    trusted = {m.id for m in named_models(sweep) if m.trust_remote_code}
    unread = tokenizer_notes(folders, [d.text for d in read.train[:READ]], trusted)
    labels = labels_of(sweep.task.kind, read.train)
    arms = list_arms(sweep)
    check_arms(sweep, arms, labels)
    sizes, folds = build_folds(sweep, divisions, labels)
    task = make_task(sweep.task.kind, labels, sweep.task.metric, sweep.task.attributes)
    tested = [document for division in divisions for document in division.test]
    workload = _workload(sweep, task, divisions, folds, sizes, arms, slugs)
    reference = sweep.reference.model
    plan = Plan(
        sweep=sweep,
        workload=workload,
        budgets=_budgets(sweep, slugs, sizes, len(folds)),
        gold={d.id: task.gold(d) for d in tested},
        groups={d.id: d.group for d in tested if d.group is not None},
        folders=folders,
        reference={"arm": sweep.reference.arm, "model": slugs[reference.id] if reference else None},
        labels_spent=max(len(division.dev) for division in divisions),
        digest=digest_of(divisions, task.gold),
        notes=(
            *read.notes,
            *overlap,
            *_unprobed(sweep, slugs),
            *model_notes(checked, workload.methods, len(head_labels(task))),
            *unread,
        ),
    )
    begin("checking what the verdict will check")
    # Imported here because nothing before needs pandas.
    from medsweep.plan.rehearsal import rehearse

    return replace(plan, notes=(*plan.notes, *rehearse(plan)))


def _workload(
    sweep: Sweep,
    task: Task,
    divisions: Sequence[Division],
    folds: tuple[Fold, ...],
    sizes: tuple[int, ...],
    arms: tuple[ArmConfig, ...],
    slugs: Mapping[str, str],
) -> Workload:
    models = named_models(sweep)
    return Workload(
        kind=task.kind,
        labels=task.labels,
        metric=sweep.task.metric,
        documents={d.id: d for division in divisions for d in division.train},
        folds=folds,
        models={slugs[m.id]: m for m in models},
        arms=arms,
        sizes=sizes,
        draws=sweep.draws,
        engine=sweep.engine,
        seed=sweep.seed,
        methods={slugs[m.id]: sweep.method_of(m) for m in models},
        attributes=task.attributes,
        reference_on_dev=sweep.strategy == "frontier" and sweep.reference.arm != "finetuned",
    )


def _budgets(
    sweep: Sweep, slugs: Mapping[str, str], sizes: tuple[int, ...], folds: int
) -> dict[Cell, int]:
    """Search trials by cell; those of a reference that is a candidate, too, are the reference's."""
    budgets: dict[Cell, int] = {}
    for fold in range(folds):
        for model in sweep.models:
            trials = sweep.search_of(model).trials
            for step, size in enumerate(sizes):
                carried = step if sweep.strategy == "frontier" else 0
                budgets[Cell(slugs[model.id], size, fold)] = trials_at(trials, carried)
        reference = sweep.reference
        if reference.arm == "finetuned" and reference.model:
            cell = Cell(slugs[reference.model.id], sizes[-1], fold)
            budgets[cell] = reference.trials or sweep.search_of(reference.model).trials
    return budgets


def trials_at(trials: int, step: int) -> int:
    """Search trials of a model's size number ``step``, from 0, where recipes are carried up."""
    for _ in range(step):
        trials = max(1, ceil(trials * KEPT))
    return trials


def _unprobed(sweep: Sweep, slugs: Mapping[str, str]) -> list[str]:
    if not any(a.arm == "probe" and a.model is None for a in sweep.arms):
        return []
    large = [slugs[m.id] for m in sweep.models if m.devices > 1]
    return [f"no probe of {name}: arms load their model whole" for name in large]
