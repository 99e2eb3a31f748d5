"""Memory of a process that allocates tensors of ever new lengths, and what to do without it."""

from __future__ import annotations

import ctypes
import sys
import traceback


def release() -> None:
    """Give free pages in the middle of the heap back to the system, where glibc can.

    Freed blocks between live ones stay with the process otherwise: a host's resident memory
    nearly doubled over a few steps.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def ran_out(error: Exception) -> bool:
    """Whether memory ran out; torch has an error of its own for accelerators only.

    If so, what the failed work still held is let go of: the frames that ``error`` keeps would
    hold its tensors while it is tried again.
    """
    import torch

    on_cpu = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    if not (on_cpu or isinstance(error, (torch.OutOfMemoryError, MemoryError))):
        return False
    traceback.clear_frames(error.__traceback__)
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    return True
