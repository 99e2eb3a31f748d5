"""bf16 where the device computes it natively, fp32 elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn


def native_bf16(device: torch.device) -> bool:
    """Whether bf16 is faster than fp32 here, not merely possible."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # torch held to an older instruction set (ATEN_CPU_CAPABILITY) has no such product either.
        held = not torch.backends.cpu.get_cpu_capability().startswith("AVX512")
        return bool(torch.cpu._is_avx512_bf16_supported()) and not held
    return False


def at_least_float(tensor: Tensor) -> Tensor:
    """In fp32 where ``tensor`` is in less."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def autocast(device: torch.device, enabled: bool | None = None) -> AbstractContextManager[Any]:
    """Mixed precision where it is native, or as asked."""
    if native_bf16(device) if enabled is None else enabled:
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def in_bf16(model: nn.Module, enabled: bool) -> Iterator[None]:
    """Within the body the frozen fp32 parameters of ``model`` are in bf16; then as they were."""
    fp32 = (p for p in model.parameters() if not p.requires_grad and p.dtype == torch.float32)
    held = [(p, p.data) for p in fp32] if enabled else []
    try:
        for parameter, data in held:
            parameter.data = data.to(torch.bfloat16)
        yield
    finally:
        for parameter, data in held:
            parameter.data = data
