"""The sweep file: frozen models, read with every problem reported at once."""

from medsweep.config.load import load_sweep
from medsweep.config.models import (
    Arm,
    Data,
    Decide,
    EarlyStopping,
    Evaluation,
    Model,
    Range,
    Reference,
    Resources,
    Search,
    Source,
    Sweep,
    Task,
    Tracking,
    Training,
)

__all__ = [
    "Arm",
    "Data",
    "Decide",
    "EarlyStopping",
    "Evaluation",
    "Model",
    "Range",
    "Reference",
    "Resources",
    "Search",
    "Source",
    "Sweep",
    "Task",
    "Tracking",
    "Training",
    "load_sweep",
]
