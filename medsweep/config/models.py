"""The sweep file as frozen typed objects that refuse unknown keys."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictInt, field_validator, model_validator

from medsweep.config._section import ConfigSection, Count, Share
from medsweep.config.arms import ArmConfig, ModelConfig, ReferenceConfig
from medsweep.config.search import EarlyStoppingConfig, SearchConfig, TrainingConfig
from medsweep.config.task import TaskConfig
from medsweep.tasks import MethodName


class ColumnsConfig(ConfigSection):
    """Names of the columns of a table or JSONL file, where they differ from medsweep's."""

    id: str = "id"
    """Of the document [the file's name and a number]."""
    text: str = "text"
    """The document."""
    label: str = "label"
    """Its one label (classification)."""
    labels: str = "labels"
    """Its labels, in a table as `a;b` (multilabel)."""
    entities: str = "entities"
    """Its mentions, `[{"start", "end", "type"}]` (ner)."""
    group: str = "group"
    """What belongs together, such as the patient; a group is never divided."""
    split: str = "split"
    """Which part of a divided corpus the document belongs to, for `part`."""


class SourceConfig(ConfigSection):
    """A corpus on disk. A plain string is its path."""

    path: Annotated[str, Field(min_length=1)]
    """File or folder; relative to the sweep file."""
    format: str | None = None
    """How the documents are written [inferred from the files, where they tell]."""
    layer: str | None = None
    """WebAnno TSV and CAS: LAYER, or LAYER.FEATURE [the only one that people annotate]."""
    columns: ColumnsConfig = ColumnsConfig()
    """What the columns are called."""
    annotator: str | None = None
    """Whose annotations to read, where documents have several people's [the curated ones]."""
    part: str | None = None
    """Only documents whose split is this one, such as train, dev or test [all]."""
    encoding: str | None = None
    """Of text files, such as cp1252 [UTF-8, or what the files show to be]."""

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class EvaluationConfig(ConfigSection):
    """How test documents are come by: one held-out set, or cross-validation over all."""

    kind: Literal["holdout", "crossval"] = "holdout"
    """crossval tests every document once, in a fold that it was not trained in."""
    folds: Annotated[StrictInt, Field(ge=2)] | Literal["split"] = 5
    """How many parts cross-validation makes; split: the documents' own, by that column."""


class DataConfig(ConfigSection):
    """Documents for training, choosing (dev) and judging (test)."""

    train: SourceConfig
    """What is trained on; dev, and test where it is an amount, are taken from it."""
    test: SourceConfig | Share | Count | None = None
    """A corpus of its own, or the share or number of documents that are held out for it [0.2 where
    one is held out]; an amount does not count in cross-validation."""
    dev: SourceConfig | Share | Count = 0.2
    """The documents that choose recipes and stop trials: a share or number of the training ones,
    or a corpus of its own, for one held-out test set."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """One held-out test set, or cross-validation."""
    max_misplaced: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Refuse a corpus with a larger share of mentions that are not where their file says; one or
    two among as many others are left out whatever their share, unless this is 0."""
    near_duplicates: Literal["note", "drop", "refuse"] = "note"
    """What to do where a training or dev document is nearly a test document, or a training one
    nearly a dev one: count them, leave them out of training and dev (never of test), or refuse."""

    @field_validator("test", "dev", mode="before")
    @classmethod
    def _source_or_amount(cls, value: Any) -> Any:
        # Validated here so that a mistake inside a source is reported at its own place,
        # not once for every member of the union.
        if isinstance(value, str):
            return SourceConfig(path=value)
        return value

    @model_validator(mode="after")
    def _one_way_to_test(self) -> Self:
        if self.evaluation.kind == "crossval" and isinstance(self.test, SourceConfig):
            raise ValueError("cross-validation tests on all documents; leave data.test out")
        if self.evaluation.kind == "crossval" and isinstance(self.dev, SourceConfig):
            raise ValueError("cross-validation takes dev from every fold; name a share under dev")
        return self


class DecideConfig(ConfigSection):
    """The non-inferiority margin, and the level at which a match may be claimed."""

    margin: Annotated[float, Field(lt=1)]
    """How much worse is still as good, in points of the metric (0.05: five percentage points)."""
    alpha: Annotated[float, Field(ge=1e-6, lt=0.5)] = 0.05
    """Probability of any false match in the whole sweep, one-sided."""
    systems: Literal["all", "tuned"] = "all"
    """Which systems are judged together in one correction: all of them, which names the simplest
    one that matches, or the tuned models alone; then the others are descriptive."""
    sensitivity: StrictBool = True
    """Whether the reference has to be better than the majority by more than the margin; without
    that, to match it shows nothing."""

    @field_validator("margin")
    @classmethod
    def _positive(cls, value: float) -> float:
        if value <= 0:
            raise ValueError(
                "margin must be above 0: nothing can be shown to be at least exactly as good; "
                "say how much worse is still acceptable, such as 0.05"
            )
        if value < 1e-6:
            raise ValueError("margin must be 0.000001 or more: nobody has the documents for less")
        return value


class TrackingConfig(ConfigSection):
    """Where MLflow runs go."""

    uri: str | None = None
    """A server, or sqlite:///FILE [MLFLOW_TRACKING_URI, else MLflow's own default]."""
    experiment: str | None = None
    """The experiment of the runs [the sweep's name]."""
    enabled: StrictBool = True
    """Whether MLflow is told at all."""

    @field_validator("uri")
    @classmethod
    def _no_password(cls, value: str | None) -> str | None:
        # The sweep file is kept in the sweep's folder, and in MLflow.
        if value and re.search(r"//[^/@]*:[^/@]*@", value):
            raise ValueError(
                "holds a password; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
                "the whole URI as MLFLOW_TRACKING_URI, in the environment"
            )
        return value


class ResourcesConfig(ConfigSection):
    """How the machine is shared. Anything left out is chosen from what Ray reports."""

    hosts: Count | None = None
    """Processes that each hold a frozen base [one a GPU; on CPUs, one a core]."""
    threads: Count | None = None
    """Cores a host computes with."""
    slots: Count | None = None
    """Trials that a host trains at once on one base."""


class Sweep(ConfigSection):
    """A whole sweep file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$")]
    """What it is called in MLflow."""
    task: TaskConfig
    """What is asked of a document."""
    data: DataConfig
    """Documents for training, choosing (dev) and judging (test)."""
    models: Annotated[tuple[ModelConfig, ...], Field(min_length=1)]
    """The candidates."""
    reference: ReferenceConfig
    """What they must match."""
    train_sizes: Annotated[tuple[Count | Literal["all"], ...], Field(min_length=1)]
    """How many labelled documents are trained on: nested, stratified subsets."""
    decide: DecideConfig
    """When a candidate matches; fixed before anything is trained."""
    draws: Count = 3
    """How often each size is drawn anew and the best recipe trained on it: the luck of the draw is
    part of the error."""
    arms: tuple[ArmConfig, ...] = (
        ArmConfig(arm="majority"),
        ArmConfig(arm="tfidf"),
        ArmConfig(arm="probe"),
    )
    """Other ways to predict, on the same test documents."""
    search: SearchConfig = SearchConfig()
    """What is searched in every cell (model, training size)."""
    strategy: Literal["grid", "frontier"] = "grid"
    """Whether every cell is searched, or the cheapest first, and only those that can still change
    the verdict, as dev shows. With frontier use three draws or more."""
    training: TrainingConfig = TrainingConfig()
    """What every trial shares: the parts of a recipe that are not searched."""
    early_stopping: EarlyStoppingConfig | None = EarlyStoppingConfig()
    """Which trials of a search are stopped early."""
    engine: Literal["shared", "solo"] = "shared"
    """Whether trials share one frozen base, or train one at a time with PEFT's own layers."""
    tracking: TrackingConfig = TrackingConfig()
    """Where MLflow runs go."""
    resources: ResourcesConfig = ResourcesConfig()
    """How the machine is shared [as Ray reports it]."""
    seed: Annotated[StrictInt, Field(ge=0)] = 0
    """Every random number follows from it."""

    @field_validator("train_sizes", mode="after")
    @classmethod
    def _ascending(cls, sizes: tuple[int | str, ...]) -> tuple[int | str, ...]:
        numbers = [s for s in sizes if isinstance(s, int)]
        if len(set(sizes)) != len(sizes):
            raise ValueError("a training size appears twice; keep one")
        return (*sorted(numbers), *([s for s in sizes if s == "all"]))

    @model_validator(mode="after")
    def _reference_is_seen_on_dev(self) -> Self:
        if self.strategy == "frontier" and self.reference.arm == "predictions":
            raise ValueError(
                "strategy frontier compares with the reference on dev, and imported predictions "
                "are of test documents; use strategy: grid"
            )
        return self

    @model_validator(mode="after")
    def _methods_fit(self) -> Self:
        reference = self.reference.model if self.reference.arm == "finetuned" else None
        named = [*self.models, *([reference] if reference else [])]
        for model in named:
            self.task.check_method(self.method_of(model))
        twice = [m for m in self.models if reference and m.id == reference.id]
        for model in twice:
            if reference and self.method_of(model) != self.method_of(reference):
                raise ValueError(f"{model.id} is named with two methods; give it one")
            if reference and model.devices != reference.devices:
                raise ValueError(f"{model.id} is named with two numbers of devices; give it one")
        return self

    def search_of(self, model: ModelConfig) -> SearchConfig:
        """The space of one model: the sweep's, with what the model has of its own."""
        own = model.search.model_dump(exclude_unset=True) if model.search else {}
        return SearchConfig.model_validate({**self.search.model_dump(), **own})

    def method_of(self, model: ModelConfig) -> MethodName:
        """How a tuned model answers: as it says, else as the task says."""
        return model.method or self.task.method

    @field_validator("models", mode="after")
    @classmethod
    def _once_each(cls, models: tuple[ModelConfig, ...]) -> tuple[ModelConfig, ...]:
        ids = [m.id for m in models]
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"{twice[0]} appears twice; keep one")
        return models


def slug(text: str) -> str:
    """Lower case, and only letters, digits, dots and dashes: safe in file names and run names."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
