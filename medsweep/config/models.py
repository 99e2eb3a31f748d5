"""The sweep file as frozen typed objects that refuse unknown keys."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    field_validator,
    model_validator,
)

from medsweep.stats.metrics import METRICS
from medsweep.tasks import MethodName, TaskKind
from medsweep.tasks._base import NO_LIKELIHOOD

NEEDS_MODEL = ("probe", "zero_shot", "few_shot", "finetuned")
WITHOUT_MODEL = ("majority", "rules", "tfidf", "predictions")

Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[StrictInt, Field(ge=1)]


class _Section(BaseModel):
    # Docstrings of keys are what `medsweep explain` says of them.
    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), use_attribute_docstrings=True
    )


class Task(_Section):
    """What is asked of a document, and the metric that the verdict is given for.

    A plain string is its kind.
    """

    kind: TaskKind
    """One label a document, any number of labels, or the mentions of entities."""
    metric: str = ""
    """What the verdict is about, best dev scores choose, and ASHA stops by [the kind's first]."""
    method: MethodName = "head"
    """How tuned models answer: by a head of their own, by the likelihood of the labels' words, or
    in writing (generate), for which decoders alone will do."""
    attributes: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()
    """Fields of mentions, such as dose or negation, that are written with them; needs generate."""

    @model_validator(mode="before")
    @classmethod
    def _kind_alone(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _metric_of_kind(self) -> Self:
        known = METRICS[self.kind]
        if not self.metric:
            object.__setattr__(self, "metric", known[0])
        elif self.metric not in known:
            raise ValueError(
                f"metric {self.metric!r} is not one of {self.kind}; use {' or '.join(known)}"
            )
        _check_method(self.kind, self.method)
        if self.attributes and self.kind != "ner":
            raise ValueError("attributes are of mentions; leave them out, or use kind: ner")
        if self.attributes and self.method != "generate":
            raise ValueError(ONLY_WRITTEN)
        if self.metric == "attribute_f1" and not self.attributes:
            raise ValueError("metric attribute_f1 needs attributes; name them, such as [dose]")
        return self


ONLY_WRITTEN = "attributes have to be written; use method: generate"


def _check_method(kind: TaskKind, method: MethodName) -> None:
    if method == "likelihood" and (what := NO_LIKELIHOOD.get(kind)):
        raise ValueError(f"{what} have no likelihood to compare; use method head or generate")


class Columns(_Section):
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


class Source(_Section):
    """A corpus on disk. A plain string is its path."""

    path: Annotated[str, Field(min_length=1)]
    """File or folder; relative to the sweep file."""
    format: str | None = None
    """How the documents are written [inferred from the files, where they tell]."""
    layer: str | None = None
    """WebAnno TSV and CAS: LAYER, or LAYER.FEATURE [the only one that people annotate]."""
    columns: Columns = Columns()
    """What the columns are called."""

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class Evaluation(_Section):
    """How test documents are come by: one held-out set, or cross-validation over all."""

    kind: Literal["holdout", "crossval"] = "holdout"
    """crossval tests every document once, in a fold that it was not trained in."""
    folds: Annotated[StrictInt, Field(ge=2)] = 5
    """How many parts cross-validation makes."""


class Data(_Section):
    """Documents for training, choosing (dev) and judging (test)."""

    train: Source
    """What is trained on; dev, and test where it is an amount, are taken from it."""
    test: Source | Share | Count | None = None
    """A corpus of its own, or the share or number of documents that are held out for it."""
    dev: Share | Count = 0.2
    """The share or number of documents that choose recipes and stop trials."""
    evaluation: Evaluation = Evaluation()
    """One held-out test set, or cross-validation."""

    @field_validator("test", mode="before")
    @classmethod
    def _source_or_amount(cls, value: Any) -> Any:
        # Validated here so that a mistake inside a source is reported at its own place,
        # not once for every member of the union.
        if isinstance(value, str):
            return Source(path=value)
        return value

    @model_validator(mode="after")
    def _one_way_to_test(self) -> Self:
        if self.evaluation.kind == "holdout" and self.test is None:
            raise ValueError(
                "no test documents; name a file under data.test, hold out a share "
                "(test: 0.3), or set evaluation: {kind: crossval}"
            )
        if self.evaluation.kind == "crossval" and self.test is not None:
            raise ValueError("cross-validation tests on all documents; leave data.test out")
        return self


class Range(_Section):
    """An interval to search in."""

    low: float
    """The least value."""
    high: float
    """The largest."""
    log: StrictBool = False
    """Whether every factor, not every difference, is as likely."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("low must be above 0 on a log scale")
        return self


def _as_list(value: Any) -> Any:
    return value if value is None or isinstance(value, (list, tuple)) else [value]


Ranks = Annotated[tuple[Annotated[StrictInt, Field(ge=1, le=1024)], ...], Field(min_length=1)]
Ratios = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
Layers = Annotated[tuple[Count | Literal["all"], ...], Field(min_length=1)]
Dropouts = Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], ...], Field(min_length=1)]
Rates = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]


class SearchPart(_Section):
    """What one model searches otherwise than the sweep's ``search`` says."""

    trials: Count | None = None
    """Trials a cell; the best one of them on dev is confirmed."""
    rank: Ranks | None = None
    """LoRA ranks r."""
    alpha_ratio: Ratios | None = None
    """LoRA alpha over rank: an update is scaled by it."""
    top_layers: Layers | None = None
    """How many of the uppermost layers are adapted, cheapest first; a later entry is tried once
    with the best recipe, and kept where it is better by more than noise."""
    learning_rate: Range | Rates | None = None
    """Peak learning rate: values, or {low, high, log}."""
    dropout: Dropouts | None = None
    """LoRA dropout."""
    epochs: Count | None = None
    """Passes over the training documents (see training.min_steps)."""

    @field_validator("rank", "alpha_ratio", "top_layers", "dropout", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return _as_list(value)

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _range_or_values(cls, value: Any) -> Any:
        # Dispatching here keeps messages to the form that the user wrote.
        if isinstance(value, dict):
            return Range.model_validate(value)
        return value if isinstance(value, Range) else _as_list(value)


class Search(SearchPart):
    """The space that Optuna proposes from, and how many trials a cell gets."""

    trials: Count = 8
    """Trials a cell; the best one of them on dev is confirmed."""
    rank: Ranks = (4, 8, 16)
    """LoRA ranks r."""
    alpha_ratio: Ratios = (1.0, 2.0)
    """LoRA alpha over rank: an update is scaled by it."""
    top_layers: Layers = (3, "all")
    """How many of the uppermost layers are adapted, cheapest first; a later entry is tried once
    with the best recipe, and kept where it is better by more than noise."""
    learning_rate: Range | Rates = Range(low=1e-4, high=1e-3, log=True)
    """Peak learning rate: values, or {low, high, log}."""
    dropout: Dropouts = (0.0,)
    """LoRA dropout."""
    epochs: Count = 8
    """Passes over the training documents (see training.min_steps)."""


class Model(_Section):
    """A base model. A plain string is its id."""

    id: Annotated[str, Field(min_length=1)]
    """Hub id, folder, .gguf file or package:NAME/PATH."""
    trust_remote_code: StrictBool = False
    """Whether code in the model's folder may run."""
    search: SearchPart | None = None
    """Parts of the sweep's search that are otherwise for this model: three top layers are half of
    one model and a tenth of another."""
    method: MethodName | None = None
    """How this model answers [task.method]."""
    devices: Count = 1
    """Over how many its weights are sharded while it is trained, if one cannot hold them."""

    @model_validator(mode="before")
    @classmethod
    def _id_alone(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value


class Arm(_Section):
    """A way to predict beside the tuned candidates. A plain string is its name."""

    arm: Literal[
        "majority", "rules", "tfidf", "probe", "zero_shot", "few_shot", "endpoint", "predictions"
    ]
    """Which way; `medsweep explain arms.options` lists the options of each."""
    model: Model | None = None
    """Of probe [every candidate], zero_shot and few_shot [the reference's]."""
    options: dict[str, Any] = {}
    """The arm's own."""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"arm": value} if isinstance(value, str) else value


class Reference(_Section):
    """What the candidates must match."""

    arm: Literal[
        "majority",
        "rules",
        "tfidf",
        "probe",
        "zero_shot",
        "few_shot",
        "finetuned",
        "endpoint",
        "predictions",
    ] = "finetuned"
    """A tuned model, or another arm."""
    model: Model | None = None
    """The large one."""
    options: dict[str, Any] = {}
    """The arm's own."""
    trials: Count | None = None
    """Trials of a tuned reference [search.trials]."""
    draws: Count | None = None
    """Draws of a tuned reference [the sweep's]. With one the candidates are held against this
    one large adapter, not against its kind."""

    @model_validator(mode="after")
    def _has_its_model(self) -> Self:
        if self.arm in NEEDS_MODEL and self.model is None:
            raise ValueError(f"arm {self.arm} needs a model; add reference.model")
        if self.arm in WITHOUT_MODEL and self.model is not None:
            raise ValueError(f"arm {self.arm} uses no model; leave reference.model out (null)")
        return self


class Training(_Section):
    """What every trial shares: the parts of a recipe that are not searched."""

    min_steps: Annotated[StrictInt, Field(ge=1)] | None = None
    """Least optimiser steps of a trial: small training sizes lack steps rather than epochs."""
    batch_size: Count | None = None
    """Documents an optimiser step."""
    evaluations: Count | None = None
    """How often dev is scored, evenly over a trial; a trial may be stopped at each."""
    warmup: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the steps with a rising learning rate; linear decay follows."""
    head_lr_ratio: Annotated[float, Field(gt=0)] | None = None
    """The head's learning rate over the adapter's."""
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    """AdamW's, on matrices only."""
    max_grad_norm: Annotated[float, Field(gt=0)] | None = None
    """Clipping of one adapter's gradient."""
    class_weights: StrictBool | None = None
    """Weight classes by the inverse square root of their frequency."""
    gradient_checkpointing: StrictBool | None = None
    """Compute layers again in the backward pass: less memory, a third more arithmetic."""
    max_length: Annotated[StrictInt, Field(ge=8)] | None = None
    """Tokens a window; longer documents are read in several, and nothing is cut."""


class EarlyStopping(_Section):
    """ASHA within a cell; null lets every trial end."""

    reduction_factor: Annotated[float, Field(gt=1)] = 3
    """One of so many trials goes on at each rung."""
    grace: Annotated[float, Field(gt=0, le=1)] = 0.125
    """Share of a trial's evaluations before it may be stopped."""


class Decide(_Section):
    """The non-inferiority margin, and the level at which a match may be claimed."""

    margin: Annotated[float, Field(lt=1)]
    """How much worse is still as good, in points of the metric (0.05: five percentage points)."""
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Probability of any false match in the whole sweep, one-sided."""

    @field_validator("margin")
    @classmethod
    def _positive(cls, value: float) -> float:
        if value <= 0:
            raise ValueError(
                "margin must be above 0: nothing can be shown to be at least exactly as good; "
                "say how much worse is still acceptable, such as 0.05"
            )
        return value


class Tracking(_Section):
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


class Resources(_Section):
    """How the machine is shared. Anything left out is chosen from what Ray reports."""

    hosts: Count | None = None
    """Processes that each hold a frozen base [one a GPU; on CPUs, one a core]."""
    threads: Count | None = None
    """Cores a host computes with."""
    slots: Count | None = None
    """Trials that a host trains at once on one base."""


class Sweep(_Section):
    """A whole sweep file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$")]
    """What it is called in MLflow."""
    task: Task
    """What is asked of a document."""
    data: Data
    """Documents for training, choosing (dev) and judging (test)."""
    models: Annotated[tuple[Model, ...], Field(min_length=1)]
    """The candidates."""
    reference: Reference
    """What they must match."""
    train_sizes: Annotated[tuple[Count | Literal["all"], ...], Field(min_length=1)]
    """How many labelled documents are trained on: nested, stratified subsets."""
    decide: Decide
    """When a candidate matches; fixed before anything is trained."""
    draws: Count = 3
    """How often each size is drawn anew and the best recipe trained on it: the luck of the draw is
    part of the error."""
    arms: tuple[Arm, ...] = (Arm(arm="majority"), Arm(arm="tfidf"), Arm(arm="probe"))
    """Other ways to predict, on the same test documents."""
    search: Search = Search()
    """What is searched in every cell (model, training size)."""
    strategy: Literal["grid", "frontier"] = "grid"
    """Whether every cell is searched, or the cheapest first, and only those that can still change
    the verdict, as dev shows. With frontier use three draws or more."""
    training: Training = Training()
    """What every trial shares: the parts of a recipe that are not searched."""
    early_stopping: EarlyStopping | None = EarlyStopping()
    """Which trials of a search are stopped early."""
    engine: Literal["shared", "solo"] = "shared"
    """Whether trials share one frozen base, or train one at a time with PEFT's own layers."""
    tracking: Tracking = Tracking()
    """Where MLflow runs go."""
    resources: Resources = Resources()
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
            _check_method(self.task.kind, self.method_of(model))
            if self.task.attributes and self.method_of(model) != "generate":
                raise ValueError(ONLY_WRITTEN)
        twice = [m for m in self.models if reference and m.id == reference.id]
        for model in twice:
            if reference and self.method_of(model) != self.method_of(reference):
                raise ValueError(f"{model.id} is named with two methods; give it one")
            if reference and model.devices != reference.devices:
                raise ValueError(f"{model.id} is named with two numbers of devices; give it one")
        return self

    def search_of(self, model: Model) -> Search:
        """The space of one model: the sweep's, with what the model has of its own."""
        own = model.search.model_dump(exclude_none=True) if model.search else {}
        return Search.model_validate({**self.search.model_dump(), **own})

    def method_of(self, model: Model) -> MethodName:
        """How a tuned model answers: as it says, else as the task says."""
        return model.method or self.task.method

    @field_validator("models", mode="after")
    @classmethod
    def _once_each(cls, models: tuple[Model, ...]) -> tuple[Model, ...]:
        ids = [m.id for m in models]
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"{twice[0]} appears twice; keep one")
        return models


def slug(text: str) -> str:
    """Lower case, and only letters, digits, dots and dashes: safe in file names and run names."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
