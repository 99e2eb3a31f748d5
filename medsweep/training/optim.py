"""The optimiser of one adapter: AdamW, linear warm-up and decay, clipping."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from medsweep.training.recipe import Recipe


def total_steps(recipe: Recipe, windows: int) -> int:
    """Optimiser steps of a trial: its epochs, but at least ``min_steps``, for small sizes."""
    return max(recipe.epochs * -(-windows // recipe.batch_size), recipe.min_steps)


def share_of_rate(step: int, total: int, warmup: float) -> float:
    """The learning rate at ``step`` (from 0) as a share of its peak."""
    rising = max(1, round(warmup * total))
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (total - step) / max(1, total - rising))


def make_optimizer(parameters: Mapping[str, Tensor], recipe: Recipe) -> torch.optim.AdamW:
    """AdamW over LoRA matrices and head; the head learns ``head_lr_ratio`` times faster.

    Weight decay is for matrices: biases and norms have no scale to be kept small.
    """
    groups = []
    for name, tensor in parameters.items():
        lora = "lora_" in name
        groups.append(
            {
                "params": [tensor],
                "peak": recipe.learning_rate * (1.0 if lora else recipe.head_lr_ratio),
                "lr": 0.0,
                "weight_decay": recipe.weight_decay if tensor.ndim > 1 else 0.0,
            }
        )
    return torch.optim.AdamW(groups)


def set_rate(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Set each group's learning rate to ``share`` of its peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share
