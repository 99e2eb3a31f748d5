"""What is searched, what every trial shares, and when one is stopped."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictInt, field_validator, model_validator

from medsweep.config._section import ConfigSection, Count


class Range(ConfigSection):
    """An interval to search in."""

    low: Annotated[float, Field(ge=0)]
    """The least value."""
    high: Annotated[float, Field(le=1)]
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


Ranks = Annotated[tuple[Annotated[StrictInt, Field(ge=1, le=1024)], ...], Field(min_length=1)]
Ratios = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
Layers = Annotated[tuple[Count | Literal["all"], ...], Field(min_length=1)]
Dropouts = Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], ...], Field(min_length=1)]
Rates = Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)]


class SearchConfig(ConfigSection):
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

    @field_validator("rank", "alpha_ratio", "top_layers", "dropout", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return _listed(value)

    @field_validator("learning_rate", mode="before")
    @classmethod
    def _range_or_values(cls, value: Any) -> Any:
        # Dispatching here keeps messages to the form that the user wrote.
        if isinstance(value, dict):
            return Range.model_validate(value)
        return value if isinstance(value, Range) else _listed(value)


def _listed(value: Any) -> Any:
    return value if value is None or isinstance(value, (list, tuple)) else [value]


class TrainingConfig(ConfigSection):
    """What every trial shares: the parts of a recipe that are not searched."""

    # Defaults and meanings are the recipe's own, and stand there: training/recipe.py.
    min_steps: Count | None = None
    batch_size: Count | None = None
    evaluations: Count | None = None
    warmup: Annotated[float, Field(ge=0, le=1)] | None = None
    head_lr_ratio: Annotated[float, Field(gt=0)] | None = None
    weight_decay: Annotated[float, Field(ge=0, le=1)] | None = None
    max_grad_norm: Annotated[float, Field(gt=0)] | None = None
    class_weights: StrictBool | None = None
    gradient_checkpointing: StrictBool | None = None
    max_length: Annotated[StrictInt, Field(ge=8)] | None = None


class EarlyStoppingConfig(ConfigSection):
    """ASHA within a cell; null lets every trial end."""

    reduction_factor: Annotated[float, Field(gt=1)] = 3
    """One of so many trials goes on at each level."""
    grace: Annotated[float, Field(gt=0, le=1)] = 0.125
    """Share of a trial's evaluations before it may be stopped."""
