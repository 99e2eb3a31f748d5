"""What a trial is: its recipe, the points of its learning curve, and the error that ends it.

Imports no torch, so that the process that only schedules trials stays small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

# What stands beside an adapter's weights: base, task, recipe; a sweep adds the trial.
METADATA = "medsweep.json"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what one adapter becomes, apart from base and documents.

    Attributes:
        rank: LoRA rank r.
        alpha: LoRA alpha (the update is scaled by alpha / r).
        learning_rate: peak learning rate of the adapter.
        top_layers: how many of the uppermost transformer layers are adapted; None for all.
            What lies below the lowest adapted layer is frozen and computed once a document.
        dropout: LoRA dropout.
        epochs: passes over the training documents.
        min_steps: least optimiser steps of a trial, because small training sizes lack steps rather
            than epochs; the budget is ``max(epochs * ceil(n / batch_size), min_steps)``.
        batch_size: documents an optimiser step.
        evaluations: how often dev is scored, evenly over the budget whatever the training size; a
            trial may be stopped at each.
        warmup: share of the steps with a linearly rising learning rate; linear decay follows.
        head_lr_ratio: the head's learning rate over the adapter's.
        weight_decay: AdamW's, on matrices only.
        max_grad_norm: clipping of one adapter's gradient.
        class_weights: weight classes by the inverse square root of their frequency.
        gradient_checkpointing: keep only what enters each adapted layer, and compute the layer
            again in the backward pass: less memory for a third more arithmetic.
        max_length: tokens a window; longer documents are read in several, and nothing is cut.
        seed: initialisation, shuffling and dropout.
    """

    rank: int = 8
    alpha: float = 16.0
    learning_rate: float = 5e-4
    top_layers: int | None = None
    dropout: float = 0.0
    epochs: int = 8
    min_steps: int = 60
    batch_size: int = 8
    evaluations: int = 8
    warmup: float = 0.1
    head_lr_ratio: float = 3.0
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    class_weights: bool = True
    gradient_checkpointing: bool = False
    max_length: int = 512
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for configurations and model cards."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """The inverse of :meth:`to_dict`; ignores keys that are not a recipe's."""
        names = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in values.items() if k in names})


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One point of a trial's learning curve.

    Attributes:
        iteration: 1-based index of the evaluation; the last is ``recipe.evaluations``.
        step: optimiser steps so far.
        epoch: passes over the training documents so far.
        train_loss: mean loss since the last evaluation.
        metrics: dev scores by metric name.
        best: whether the sweep's metric is the best of this trial so far (ties: the later).
        tokens: real tokens trained on since the start.
        seconds: compute seconds since the start, evaluation included.
        done: whether the budget is spent.
    """

    iteration: int
    step: int
    epoch: float
    train_loss: float
    metrics: Mapping[str, float]
    best: bool
    tokens: int
    seconds: float
    done: bool


class TrialError(Exception):
    """This trial cannot go on (a NaN loss, data that raise); others are untouched."""
