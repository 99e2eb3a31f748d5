"""Statistics of the verdict, as pure functions over arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medsweep.stats.metrics import METRICS, score

__all__ = ["METRICS", "Verdict", "decide", "score"]

if TYPE_CHECKING:
    from medsweep.stats.decide import decide
    from medsweep.stats.verdict import Verdict


def __getattr__(name: str) -> Any:
    # Engines score with `metrics`, on machines that may have neither pandas nor scipy.
    if name == "decide":
        from medsweep.stats.decide import decide

        return decide
    if name == "Verdict":
        from medsweep.stats.verdict import Verdict

        return Verdict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
