"""A sweep from its file to its verdict, and its resumption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["resume_sweep", "run_sweep"]

if TYPE_CHECKING:
    from medsweep.sweep.run import resume_sweep, run_sweep


def __getattr__(name: str) -> Any:
    # Trackers and the journal import from this package without wanting pydantic or pandas.
    if name in __all__:
        from medsweep.sweep import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
