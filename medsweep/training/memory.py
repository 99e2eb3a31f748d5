"""Memory: what a pass takes, how large passes may be, and how to get it back."""

from __future__ import annotations

import ctypes
import sys
import traceback
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch

# Below this a pass is not worth its overhead: what then does not fit, does not fit.
SMALLEST = 128
# Of the free memory: allocators lose some to fragments, and a fit is no bound.
SAFE_SHARE = 0.8
# Passes may become this many times as long as the longest seen: no fit holds far from its data.
GROWTH = 2


def release() -> None:
    """Give free pages in the middle of the heap back to the system, where glibc can.

    Freed blocks between live ones stay with the process otherwise: a host's resident memory
    nearly doubled over a few steps.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def out_of_memory(error: Exception) -> bool:
    """Whether memory ran out; torch has an error of its own for accelerators only.

    If so, what the failed work still held is let go of: the frames that ``error`` keeps would
    hold its tensors while it is tried again.
    """
    import torch

    on_cpu = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    if not (on_cpu or isinstance(error, (torch.OutOfMemoryError, MemoryError))):
        return False
    traceback.clear_frames(error.__traceback__)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
    return True


class Meter(Protocol):
    """Measures a device's memory, in bytes."""

    def begin(self) -> None:
        """Start to look for a peak."""
        ...

    def taken(self) -> int:
        """The peak since :meth:`begin`, over what was held then."""
        ...

    def free(self) -> int:
        """What could be taken now."""
        ...


class CudaMeter:
    """The counters of torch's own allocator; reading them does not wait for the device."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._before = device, 0

    def begin(self) -> None:
        """Start to look for a peak."""
        import torch

        torch.cuda.reset_peak_memory_stats(self._device)
        self._before = torch.cuda.memory_allocated(self._device)

    def taken(self) -> int:
        """The peak since :meth:`begin`, over what was held then."""
        import torch

        return torch.cuda.max_memory_allocated(self._device) - self._before

    def free(self) -> int:
        """What the device has left, and what the allocator keeps for reuse."""
        import torch

        left, _ = torch.cuda.mem_get_info(self._device)
        kept = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return int(left + kept)


def meter_of(device: torch.device) -> Meter | None:
    """None on a CPU, where the memory of one pass cannot be told from the process's."""
    return CudaMeter(device) if device.type == "cuda" else None


@dataclass(slots=True)
class MemoryModel:
    """Bytes of a pass of B rows of up to L tokens: ``b0 + b1 * B * L + b2 * B * L**2``.

    A constant, what is kept of every token, and attention's scores. The coefficients are fitted
    to the last passes by non-negative least squares (Lawson and Hanson 1974).
    """

    seen: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=64))

    def add(self, rows: int, longest: int, taken: int) -> None:
        """Take in what a pass took, in bytes."""
        self.seen.append((rows, longest, taken))

    def coefficients(self) -> tuple[float, float, float] | None:
        """(b0, b1, b2), by which no pass seen took more; None while too few shapes were seen."""
        from scipy.optimize import nnls

        if len({(rows, longest) for rows, longest, _ in self.seen}) < 3:
            return None
        rows, longest, taken = np.array(self.seen, dtype=float).T
        terms = np.stack([np.ones_like(rows), rows * longest, rows * longest**2], axis=1)
        scale = terms.max(axis=0)
        fitted = nnls(terms / scale, taken)[0] / scale
        fitted[0] += max(0.0, float((taken - terms @ fitted).max()))
        b0, b1, b2 = map(float, fitted)
        return b0, b1, b2

    def tokens(self, longest: int, free: float) -> int | None:
        """Tokens, padding included, whose pass fits into ``free`` bytes; None if not known.

        Args:
            longest: tokens of the longest row.
            free: bytes.
        """
        coefficients = self.coefficients()
        if coefficients is None:
            return None
        b0, b1, b2 = coefficients
        most, each = GROWTH * max(r * length for r, length, _ in self.seen), b1 + b2 * longest
        return min(most, max(0, int((free - b0) / each))) if each else most


class TokenBudget:
    """How many tokens, padding included, go through a base at once.

    Fixed where nothing can be measured, but for memory that ran out.

    Args:
        tokens: as long as too little is known.
        meter: of the device.
    """

    def __init__(self, tokens: int, meter: Meter | None = None) -> None:
        self._tokens, self._meter, self._share = tokens, meter, SAFE_SHARE
        # Apart by the layer at which rows enter: the fewer layers, the less a pass takes.
        self._models: dict[int, MemoryModel] = defaultdict(MemoryModel)

    def tokens(self, entry: int, longest: int) -> int:
        """For rows of up to ``longest`` tokens that enter at layer ``entry``."""
        if self._meter is None:
            return self._tokens
        known = self._models[entry].tokens(longest, self._share * self._meter.free())
        return self._tokens if known is None else max(SMALLEST, known)

    @contextmanager
    def measured(self, entry: int, rows: int, longest: int) -> Iterator[None]:
        """Take in what the pass in the body takes; one that fails teaches nothing."""
        if self._meter is None:
            yield
            return
        self._meter.begin()
        yield
        self._models[entry].add(rows, longest, self._meter.taken())

    def recover(self, error: Exception) -> bool:
        """Whether memory ran out and smaller passes can be tried; they are smaller from now on."""
        return out_of_memory(error) and self.halve()

    def halve(self) -> bool:
        """After memory ran out; False where passes are as small as is useful."""
        if self._tokens <= SMALLEST:
            return False
        self._tokens //= 2
        # What was believed of it was wrong: begin anew, more carefully.
        self._share *= SAFE_SHARE
        self._models.clear()
        return True
