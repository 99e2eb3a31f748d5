"""What a sweep will do: its folds and ladders, its models and its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from medsweep.config import ArmConfig, ModelConfig, SearchConfig, Sweep
from medsweep.corpus import Document
from medsweep.models import ModelFolder
from medsweep.record.trial import Cell
from medsweep.tasks import MethodName, TaskKind
from medsweep.training.recipe import Recipe

# Arms that learn from the training documents.
LEARNING = ("majority", "dictionary", "tfidf", "probe", "few_shot")


@dataclass(frozen=True, slots=True)
class Fold:
    """One way of dividing the documents; a hold-out evaluation has one.

    Attributes:
        subsets: ids of the training documents by (draw, size); nested over sizes.
        dev: documents that choose recipes and stop trials.
        test: documents that judge, without their gold: no host ever sees it.
        pool: how many documents the subsets are drawn from.
    """

    subsets: Mapping[tuple[int, int], tuple[str, ...]]
    dev: tuple[Document, ...]
    test: tuple[Document, ...]
    pool: int


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
    models: Mapping[str, ModelConfig]
    arms: tuple[ArmConfig, ...]
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
        budgets: search trials by cell, of candidates and tuned reference, over all folds; under
            ``strategy: frontier`` the most there can be.
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
    budgets: Mapping[Cell, int]
    gold: Mapping[str, str]
    groups: Mapping[str, str]
    folders: Mapping[str, ModelFolder]
    reference: Mapping[str, str | None]
    labels_spent: int
    digest: str
    notes: tuple[str, ...] = field(default=())

    @property
    def cells(self) -> tuple[Cell, ...]:
        """What is searched."""
        return tuple(self.budgets)

    def draws_of(self, cell: Cell) -> int:
        """How often a cell's best recipe is confirmed."""
        model, reference = self.workload.models[cell.model], self.sweep.reference
        is_reference = reference.model is not None and model.id == reference.model.id
        is_candidate = model.id in {m.id for m in self.sweep.models}
        own = reference.draws if is_reference and not is_candidate else None
        return own or self.sweep.draws

    @property
    def reference_cells(self) -> tuple[Cell, ...]:
        """The cells of a tuned reference, by fold; none for another arm."""
        if self.reference["arm"] != "finetuned":
            return ()
        at = self.reference["model"], self.workload.sizes[-1]
        return tuple(c for c in self.cells if c.key == at)

    @property
    def reference_draws(self) -> int:
        """A reference that learns from the training documents has a prediction a draw."""
        if cells := self.reference_cells:
            return self.draws_of(cells[0])
        first = self.workload.arms[0]
        learns = first.arm in LEARNING or first.options.get("k", 0) > 0
        return self.sweep.draws if learns else 1

    @property
    def evaluations(self) -> int:
        """Points of a trial's learning curve."""
        return Recipe(**self.sweep.training.model_dump(exclude_none=True)).evaluations

    def search_of(self, cell: Cell) -> SearchConfig:
        """The space that a cell's trials are proposed from."""
        return self.sweep.search_of(self.workload.models[cell.model])
