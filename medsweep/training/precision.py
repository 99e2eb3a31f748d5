"""bf16 where the device computes it natively, fp32 elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def native_bf16(device: torch.device) -> bool:
    """Whether bf16 is faster than fp32 here, not merely possible."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported())
    return False


def at_least_float(tensor: Tensor) -> Tensor:
    """In fp32 where ``tensor`` is in less."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def autocast(device: torch.device, enabled: bool | None = None) -> AbstractContextManager[Any]:
    """Mixed precision where it is native, or as asked."""
    if native_bf16(device) if enabled is None else enabled:
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
