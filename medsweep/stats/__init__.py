"""Statistics of the verdict, as pure functions over arrays."""

from medsweep.stats.decide import decide
from medsweep.stats.metrics import METRICS, score
from medsweep.stats.verdict import Verdict

__all__ = ["METRICS", "Verdict", "decide", "score"]
