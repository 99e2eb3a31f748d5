"""The sweep on Ray Tune: search, confirm, and everything that survives a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["resume_sweep", "run_sweep", "sweep_status"]

if TYPE_CHECKING:
    from medsweep.sweep.run import resume_sweep, run_sweep, sweep_status


def __getattr__(name: str) -> Any:
    # Trackers and the journal import from this package without wanting pydantic or pandas.
    if name in __all__:
        from medsweep.sweep import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
