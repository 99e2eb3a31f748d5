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
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Task(_Section):
    """What is asked of a document, and the metric that the verdict is given for.

    ``method`` is how tuned models answer: by a ``head`` of their own, by the ``likelihood`` of
    the labels' words, or in writing (``generate``), for which decoders alone will do.
    ``attributes`` are fields of mentions (dose, negation) that are to be written with them.
    """

    kind: TaskKind
    metric: str = ""
    method: MethodName = "head"
    attributes: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()

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
    text: str = "text"
    label: str = "label"
    labels: str = "labels"
    entities: str = "entities"
    group: str = "group"


class Source(_Section):
    """A corpus on disk. A plain string is its path."""

    path: Annotated[str, Field(min_length=1)]
    format: str | None = None
    layer: str | None = None
    columns: Columns = Columns()

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class Evaluation(_Section):
    """How test documents are come by: one held-out set, or cross-validation over all."""

    kind: Literal["holdout", "crossval"] = "holdout"
    folds: Annotated[StrictInt, Field(ge=2)] = 5


class Data(_Section):
    """Documents for training, choosing (dev) and judging (test)."""

    train: Source
    test: Source | Share | Count | None = None
    dev: Share | Count = 0.2
    evaluation: Evaluation = Evaluation()

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
    high: float
    log: StrictBool = False

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
    rank: Ranks | None = None
    alpha_ratio: Ratios | None = None
    top_layers: Layers | None = None
    learning_rate: Range | Rates | None = None
    dropout: Dropouts | None = None
    epochs: Count | None = None

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
    rank: Ranks = (4, 8, 16)
    alpha_ratio: Ratios = (1.0, 2.0)
    top_layers: Layers = (3, "all")
    learning_rate: Range | Rates = Range(low=1e-4, high=1e-3, log=True)
    dropout: Dropouts = (0.0,)
    epochs: Count = 8


class Model(_Section):
    """A base model. A plain string is its id: hub id, folder, .gguf file or package:NAME/PATH.

    ``search`` overrides parts of the sweep's: three top layers are half of one model and a tenth
    of another. ``method`` overrides the task's for this model. ``devices`` is over how many its
    weights are sharded while it is trained, for one that is too large for one.
    """

    id: Annotated[str, Field(min_length=1)]
    trust_remote_code: StrictBool = False
    search: SearchPart | None = None
    method: MethodName | None = None
    devices: Count = 1

    @model_validator(mode="before")
    @classmethod
    def _id_alone(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value


class Arm(_Section):
    """A way to predict beside the tuned candidates. A plain string is its name."""

    arm: Literal[
        "majority", "rules", "tfidf", "probe", "zero_shot", "few_shot", "endpoint", "predictions"
    ]
    model: Model | None = None
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"arm": value} if isinstance(value, str) else value


class Reference(_Section):
    """What the candidates must match.

    ``trials`` and ``draws`` are those of a tuned reference; left out, the sweep's. With one draw
    the candidates are held against this one large adapter, not against its kind.
    """

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
    model: Model | None = None
    options: dict[str, Any] = {}
    trials: Count | None = None
    draws: Count | None = None

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
    batch_size: Count | None = None
    evaluations: Count | None = None
    warmup: Annotated[float, Field(ge=0, le=1)] | None = None
    head_lr_ratio: Annotated[float, Field(gt=0)] | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    max_grad_norm: Annotated[float, Field(gt=0)] | None = None
    class_weights: StrictBool | None = None
    gradient_checkpointing: StrictBool | None = None
    max_length: Annotated[StrictInt, Field(ge=8)] | None = None


class EarlyStopping(_Section):
    """ASHA within a cell. ``grace`` is the share of a trial's budget before it may be stopped."""

    reduction_factor: Annotated[float, Field(gt=1)] = 3
    grace: Annotated[float, Field(gt=0, le=1)] = 0.125


class Decide(_Section):
    """The non-inferiority margin, and the level at which a match may be claimed."""

    margin: Annotated[float, Field(lt=1)]
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05

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
    """Where MLflow runs go. Without a URI: MLFLOW_TRACKING_URI, else MLflow's own default."""

    uri: str | None = None
    experiment: str | None = None
    enabled: StrictBool = True


class Resources(_Section):
    """How the machine is shared. Anything left out is chosen from what Ray reports."""

    hosts: Count | None = None
    threads: Count | None = None
    slots: Count | None = None


class Sweep(_Section):
    """A whole sweep file.

    ``strategy`` is how its cells are gone through: all of them (``grid``), or the cheapest first
    and only those that can still change the verdict, as dev shows (``frontier``).
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$")]
    task: Task
    data: Data
    models: Annotated[tuple[Model, ...], Field(min_length=1)]
    reference: Reference
    train_sizes: Annotated[tuple[Count | Literal["all"], ...], Field(min_length=1)]
    decide: Decide
    draws: Count = 3
    arms: tuple[Arm, ...] = (Arm(arm="majority"), Arm(arm="tfidf"), Arm(arm="probe"))
    search: Search = Search()
    strategy: Literal["grid", "frontier"] = "grid"
    training: Training = Training()
    early_stopping: EarlyStopping | None = EarlyStopping()
    engine: Literal["shared", "solo"] = "shared"
    tracking: Tracking = Tracking()
    resources: Resources = Resources()
    seed: Annotated[StrictInt, Field(ge=0)] = 0

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
