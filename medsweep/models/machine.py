"""What this machine computes with, and how fast."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import torch

from medsweep.models.precision import native_bf16


@dataclass(frozen=True, slots=True)
class Machine:
    """What a sweep would compute on here.

    Attributes:
        gpus: bytes of memory of each GPU.
        cores: that this process may use.
        bf16: whether bf16 is native, on the GPUs if there are any.
    """

    gpus: tuple[int, ...]
    cores: int
    bf16: bool

    @property
    def kind(self) -> str:
        """Of its devices, as torch names it."""
        return "cuda" if self.gpus else "cpu"

    @property
    def devices(self) -> int:
        """GPUs, or cores where there are none."""
        return len(self.gpus) or self.cores


def this_machine() -> Machine:
    """The machine that this process sees."""
    gpus = gpu_memory()
    device = torch.device("cuda" if gpus else "cpu")
    return Machine(gpus, len(os.sched_getaffinity(0)), native_bf16(device))


def gpu_memory() -> tuple[int, ...]:
    """Bytes of each GPU that this process sees; of those of a cluster that is joined, none."""
    count = torch.cuda.device_count()
    return tuple(torch.cuda.get_device_properties(i).total_memory for i in range(count))


def product_rate(matrix: tuple[int, int], rows: int, *, bf16: bool, seconds: float = 0.2) -> float:
    """Operations a second of products with a matrix of this shape, on one core or one GPU.

    Args:
        matrix: rows and columns of the weights.
        rows: of what they are multiplied with, tokens at once.
        bf16: in bf16, else in fp32.
        seconds: that measuring takes.
    """
    device, threads = torch.device("cuda" if gpu_memory() else "cpu"), torch.get_num_threads()
    dtype = torch.bfloat16 if bf16 else torch.float32
    # One thread, and its own time: so other work on the machine is not taken for slowness.
    torch.set_num_threads(1)
    clock = time.perf_counter if device.type == "cuda" else time.thread_time
    out, inner = (min(side, 8192) for side in matrix)
    left = torch.ones(rows, inner, dtype=dtype, device=device)
    right = torch.ones(inner, out, dtype=dtype, device=device)
    best = float("inf")
    stop = clock() + seconds
    while clock() < stop:
        began = clock()
        left @ right
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, clock() - began)
    torch.set_num_threads(threads)
    return 2 * rows * out * inner / best
