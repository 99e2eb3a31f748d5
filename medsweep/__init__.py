"""Find the smallest language model, and the fewest labelled documents, that match a large one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "decide"]

if TYPE_CHECKING:
    from medsweep.stats.decide import decide


def __getattr__(name: str) -> Any:
    # numpy, pandas and scipy take a second to import; `medsweep --help` must not pay for them.
    if name == "decide":
        from medsweep.stats.decide import decide

        return decide
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
