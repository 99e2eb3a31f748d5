"""What a sweep will do: its documents in folds and ladders, its models and its cells."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from medsweep import corpus
from medsweep.arms import check_arm
from medsweep.arms.tagging import untaggable
from medsweep.config import Arm, Model, Search, Source, Sweep
from medsweep.config.models import slug
from medsweep.corpus import Document
from medsweep.errors import ConfigError, DataError
from medsweep.models import ModelFolder, check_writes, resolve
from medsweep.sweep.frontier import trials_at
from medsweep.sweep.items import Cell
from medsweep.tasks import MethodName, TaskKind, labels_of, make_task


@dataclass(frozen=True, slots=True)
class Fold:
    """One way of dividing the documents; a hold-out evaluation has one.

    Attributes:
        subsets: ids of the training documents by (draw, size); nested over sizes.
        dev: documents that choose recipes and stop trials.
        test: documents that judge, without their gold: no host ever sees it.
    """

    subsets: Mapping[tuple[int, int], tuple[str, ...]]
    dev: tuple[Document, ...]
    test: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class Workload:
    """Everything a host needs, and no more. Goes to hosts through Ray's object store only.

    ``arms`` begins with the reference, unless that is tuned; ``reference_on_dev`` says whether it
    is scored on dev, too.
    """

    kind: TaskKind
    labels: tuple[str, ...]
    metric: str
    documents: Mapping[str, Document]
    folds: tuple[Fold, ...]
    models: Mapping[str, Model]
    arms: tuple[Arm, ...]
    sizes: tuple[int, ...]
    draws: int
    engine: Literal["shared", "solo"]
    seed: int
    methods: Mapping[str, MethodName] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    reference_on_dev: bool = False

    def train(self, cell: Cell, draw: int) -> list[Document]:
        """The training documents of a cell in a draw."""
        return [self.documents[i] for i in self.folds[cell.fold].subsets[draw, cell.size]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A sweep worked out: nothing about it is left to chance or to the file system.

    Attributes:
        cells: what is searched, candidates and tuned reference, over all folds.
        budgets: search trials by cell; under ``strategy: frontier`` the most there can be.
        gold: gold of the test documents by id, as ``predictions.parquet`` holds it.
        groups: group of the test documents by id, where they have one.
        folders: models by slug.
        reference: the arm and model slug that candidates must match.
        labels_spent: dev documents, which count as labels.
        digest: of documents and gold; a resumed sweep must find the same.
        notes: what was dropped or joined on the way, one line each.
    """

    sweep: Sweep
    workload: Workload
    cells: tuple[Cell, ...]
    budgets: Mapping[Cell, int]
    gold: Mapping[str, str]
    groups: Mapping[str, str]
    folders: Mapping[str, ModelFolder]
    reference: Mapping[str, str | None]
    labels_spent: int
    digest: str
    notes: tuple[str, ...] = field(default=())

    def draws_of(self, cell: Cell) -> int:
        """How often a cell's best recipe is confirmed."""
        model, reference = self.workload.models[cell.model], self.sweep.reference
        is_reference = reference.model is not None and model.id == reference.model.id
        is_candidate = model.id in {m.id for m in self.sweep.models}
        own = reference.draws if is_reference and not is_candidate else None
        return own or self.sweep.draws

    def search_of(self, cell: Cell) -> Search:
        """The space that a cell's trials are proposed from."""
        return self.sweep.search_of(self.workload.models[cell.model])


def make_plan(sweep: Sweep) -> Plan:
    """Read the corpus and resolve the models.

    Raises:
        InputErrors, DataError, ConfigError, ModelError: the input cannot carry this sweep.
    """
    slugs, folders = _resolve_models(sweep)
    for writer in _writers(sweep):
        check_writes(folders[slugs[writer.id]])
    documents, divisions, notes = _divide(sweep)
    labels = labels_of(sweep.task.kind, documents["train"])
    arms = _arms(sweep)
    if any(a.arm == "probe" and a.model is None for a in sweep.arms):
        large = [slugs[m.id] for m in sweep.models if m.devices > 1]
        notes += [f"no probe of {name}: arms load their model whole" for name in large]
    for arm in arms:
        check_arm(
            arm.arm,
            sweep.task.kind,
            arm.options,
            labels=labels,
            attributes=sweep.task.attributes,
        )
    sizes, folds = _folds(sweep, divisions, labels)
    task = make_task(sweep.task.kind, labels, sweep.task.metric, sweep.task.attributes)
    _check_attributes(sweep, documents["train"])
    tested = [d for _, _, test in divisions for d in test]
    reference_model = sweep.reference.model
    reference_slug = slugs[reference_model.id] if reference_model else None
    candidates = [slugs[m.id] for m in sweep.models]
    trials = {slugs[m.id]: sweep.search_of(m).trials for m in _models(sweep)}

    cells: dict[Cell, int] = {}
    for fold in range(len(folds)):
        for model in candidates:
            for step, size in enumerate(sizes):
                carried = step if sweep.strategy == "frontier" else 0
                cells[Cell(model, size, fold)] = trials_at(trials[model], carried)
        if sweep.reference.arm == "finetuned" and reference_slug:
            cell = Cell(reference_slug, sizes[-1], fold)
            cells[cell] = sweep.reference.trials or trials[reference_slug]

    workload = Workload(
        kind=sweep.task.kind,
        labels=labels,
        metric=sweep.task.metric,
        documents={d.id: d for train, _, _ in divisions for d in train},
        folds=folds,
        models={slugs[m.id]: m for m in _models(sweep)},
        arms=arms,
        sizes=sizes,
        draws=sweep.draws,
        engine=sweep.engine,
        seed=sweep.seed,
        methods={slugs[m.id]: sweep.method_of(m) for m in _models(sweep)},
        attributes=task.attributes,
        reference_on_dev=sweep.strategy == "frontier" and sweep.reference.arm != "finetuned",
    )
    return Plan(
        sweep=sweep,
        workload=workload,
        cells=tuple(cells),
        budgets=cells,
        gold={d.id: task.gold(d) for d in tested},
        groups={d.id: d.group for d in tested if d.group is not None},
        folders=folders,
        reference={"arm": sweep.reference.arm, "model": reference_slug},
        labels_spent=max(len(dev) for _, dev, _ in divisions),
        digest=_digest(divisions, task.gold),
        notes=tuple(notes),
    )


def _check_attributes(sweep: Sweep, documents: Sequence[Document]) -> None:
    known = {f for d in documents for s in d.spans or () for f, _ in s.attributes}
    if absent := sorted(set(sweep.task.attributes) - known):
        raise ConfigError(
            f"no mention of the training documents has the attribute {absent[0]!r}",
            where="task.attributes",
            fix="correct its spelling, or leave it out",
        )


def _models(sweep: Sweep) -> list[Model]:
    """Every model that the sweep names, once."""
    named = [*sweep.models, *([sweep.reference.model] if sweep.reference.model else [])]
    named += [a.model for a in sweep.arms if a.model]
    return list({m.id: m for m in reversed(named)}.values())[::-1]


def _writers(sweep: Sweep) -> list[Model]:
    """The models that have to be language models."""
    tuned = [*sweep.models]
    if sweep.reference.arm == "finetuned" and sweep.reference.model:
        tuned.append(sweep.reference.model)
    asked = [a.model for a in sweep.arms if a.arm in ("zero_shot", "few_shot")]
    if sweep.reference.arm in ("zero_shot", "few_shot"):
        asked.append(sweep.reference.model)
    return [m for m in tuned if sweep.method_of(m) != "head"] + [m for m in asked if m]


def _resolve_models(sweep: Sweep) -> tuple[dict[str, str], dict[str, ModelFolder]]:
    """Slugs by model id, and folders by slug; two models never share a slug."""
    slugs: dict[str, str] = {}
    folders: dict[str, ModelFolder] = {}
    for model in _models(sweep):
        folder = resolve(model.id)
        name, number = slug(folder.name), 2
        while name in folders:
            name, number = f"{slug(folder.name)}-{number}", number + 1
        slugs[model.id], folders[name] = name, folder
    return slugs, folders


def _arms(sweep: Sweep) -> tuple[Arm, ...]:
    """The arms to run: the reference, unless it is tuned; those listed; a probe a candidate.

    A listed arm is the reference where the two have the same options, or the reference none.
    """
    arms: list[Arm] = []
    for arm in sweep.arms:
        if arm.arm == "probe" and arm.model is None:
            # An arm loads its model whole.
            whole = (m for m in sweep.models if m.devices == 1)
            arms += [arm.model_copy(update={"model": m}) for m in whole]
        elif arm.arm in ("zero_shot", "few_shot") and arm.model is None:
            model = sweep.reference.model
            if model is None:
                raise ConfigError(f"arm {arm.arm} needs a model", where="arms", fix="add its model")
            arms.append(arm.model_copy(update={"model": model}))
        else:
            arms.append(arm)
    wanted = sweep.reference
    if wanted.arm == "finetuned":
        return tuple(arms)
    same = (
        a
        for a in arms
        if (a.arm, a.model) == (wanted.arm, wanted.model) and wanted.options in ({}, a.options)
    )
    reference = next(same, None) or Arm(arm=wanted.arm, model=wanted.model, options=wanted.options)
    return (reference, *(a for a in arms if a is not reference))


_Division = tuple[list[Document], list[Document], list[Document]]


def _divide(sweep: Sweep) -> tuple[dict[str, list[Document]], list[_Division], list[str]]:
    """Train, dev and test of every fold, without a document on both sides."""
    data, kind, notes = sweep.data, sweep.task.kind, list[str]()
    train = _read(data.train, sweep, notes)
    test: list[Document] = []
    if isinstance(data.test, Source):
        test = _read(data.test, sweep, notes)
        corpus.check_labels(train, test)
    train, test, report = corpus.deduplicate(train, test)
    notes += report.lines()
    if kind == "ner":
        notes += _untaggable([*train, *test])
    if not any(d.group for d in train):
        notes.append(
            "no groups: documents are taken as independent; give those of one patient the same "
            "group, or name its column under data.train.columns.group"
        )
    if data.evaluation.kind == "crossval":
        pairs = corpus.folds(train, data.evaluation.folds, kind=kind, seed=sweep.seed)
    elif isinstance(data.test, Source):
        pairs = [(train, test)]
    else:
        assert data.test is not None
        pairs = [corpus.hold_out(train, data.test, kind=kind, seed=sweep.seed)]
    divisions = []
    for rest, judged in pairs:
        # The ladder and dev share the documents that are not for judging: dev is labels spent.
        learn, dev = corpus.hold_out(rest, data.dev, kind=kind, seed=sweep.seed + 1)
        divisions.append((learn, dev, judged))
    if leaks := corpus.leaking_groups(divisions[0][0] + divisions[0][1], divisions[0][2]):
        raise DataError(
            f"{len(leaks)} groups have documents in both train and test",
            where=str(data.train.path),
            fix="put every document of a group on one side",
        )
    return {"train": train}, divisions, notes


def _untaggable(documents: Sequence[Document]) -> list[str]:
    """What no head can find, however well it learns."""
    lost = untaggable(documents)
    total = sum(len(d.spans or ()) for d in documents)
    if not lost:
        return []
    return [
        f"{lost} of {total} mentions cannot be tagged (nested, in pieces, or ending within a "
        "word): heads, probe and tfidf miss them, which models that write may not"
    ]


def _read(source: Source, sweep: Sweep, notes: list[str]) -> list[Document]:
    changes: Counter[str] = Counter()
    documents: list[Document] = corpus.read_documents(
        Path(source.path),
        kind=sweep.task.kind,
        attributes=sweep.task.attributes,
        format=source.format,
        columns=corpus.Columns(**source.columns.model_dump()),
        layer=source.layer,
        changes=changes,
    )
    notes += [f"{Path(source.path).name}: {n} {what}" for what, n in sorted(changes.items())]
    return documents


def _folds(
    sweep: Sweep, divisions: Sequence[_Division], labels: Sequence[str]
) -> tuple[tuple[int, ...], tuple[Fold, ...]]:
    folds: list[Fold] = []
    # Every fold climbs the same sizes, so `all` is what the smallest fold has.
    everything = min(len(learn) for learn, _, _ in divisions)
    wanted = tuple(everything if s == "all" else s for s in sweep.train_sizes)
    sizes = tuple(sorted(set(wanted)))
    for number, (learn, dev, judged) in enumerate(divisions):
        ladder = corpus.build_ladder(
            learn,
            sizes,
            sweep.draws,
            kind=sweep.task.kind,
            seed=sweep.seed + 1000 * number,
            labels=labels,
        )
        folds.append(
            Fold(
                subsets={
                    (draw, size): tuple(d.id for d in ladder.subset(draw, size))
                    for draw in range(sweep.draws)
                    for size in ladder.sizes
                },
                dev=tuple(dev),
                test=tuple(d.without_gold() for d in judged),
            )
        )
    return sizes, tuple(folds)


def _digest(divisions: Sequence[_Division], gold: Any) -> str:
    """One hash over ids, texts and gold of all documents in their places."""
    digest = hashlib.sha256()
    for learn, dev, judged in divisions:
        for name, part in (("train", learn), ("dev", dev), ("test", judged)):
            for document in part:
                for field_ in (name, document.id, document.text, gold(document)):
                    digest.update(field_.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
