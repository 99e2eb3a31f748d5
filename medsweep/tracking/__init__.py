"""Where a sweep is told to the outside: MLflow, or nowhere."""

from collections.abc import Callable

from medsweep.tracking._base import Ending, NullTracker, Tracker

__all__ = ["Ending", "NullTracker", "Tracker", "make_tracker"]


def make_tracker(
    enabled: bool, uri: str | None, experiment: str, warn: Callable[[str], None]
) -> Tracker:
    """The tracker that a sweep file asks for; ``warn`` is given a line when it stops answering."""
    if not enabled:
        return NullTracker()
    # MLflow takes seconds to import.
    from medsweep.tracking.background import BackgroundTracker
    from medsweep.tracking.mlflow import MlflowTracker

    return BackgroundTracker(MlflowTracker(uri, experiment), warn)
