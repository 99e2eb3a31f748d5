"""Where a sweep is told to the outside: MLflow, or nowhere."""

from medsweep.tracking._base import NullTracker, Tracker

__all__ = ["NullTracker", "Tracker", "make_tracker"]


def make_tracker(enabled: bool, uri: str | None, experiment: str) -> Tracker:
    """The tracker that a sweep file asks for."""
    if not enabled:
        return NullTracker()
    # MLflow takes seconds to import.
    from medsweep.tracking.mlflow import MlflowTracker

    return MlflowTracker(uri, experiment)
