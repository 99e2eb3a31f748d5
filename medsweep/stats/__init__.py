"""Statistics of the verdict, as pure functions over arrays.

Imports neither pandas nor scipy: engines score with `metrics` on machines that have neither. The
decision itself is :func:`medsweep.stats.decide.decide`, also ``medsweep.decide``.
"""

from medsweep.stats.metrics import METRICS, score

__all__ = ["METRICS", "score"]
