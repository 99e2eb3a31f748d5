"""Memory of a process that allocates tensors of ever new lengths."""

from __future__ import annotations

import ctypes
import sys


def release() -> None:
    """Give free pages in the middle of the heap back to the system, where glibc can.

    Freed blocks between live ones stay with the process otherwise: a host's resident memory
    nearly doubled over a few steps.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
