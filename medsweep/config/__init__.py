"""The sweep file: frozen models, read with every problem reported at once."""

from medsweep.config.arms import ArmConfig, ModelConfig, ReferenceConfig
from medsweep.config.load import load_sweep
from medsweep.config.models import (
    ColumnsConfig,
    DataConfig,
    DecideConfig,
    EvaluationConfig,
    ResourcesConfig,
    SourceConfig,
    Sweep,
    TrackingConfig,
    slug,
)
from medsweep.config.search import EarlyStoppingConfig, Range, SearchConfig, TrainingConfig
from medsweep.config.task import TaskConfig

__all__ = [
    "ArmConfig",
    "ColumnsConfig",
    "DataConfig",
    "DecideConfig",
    "EarlyStoppingConfig",
    "EvaluationConfig",
    "ModelConfig",
    "Range",
    "ReferenceConfig",
    "ResourcesConfig",
    "SearchConfig",
    "SourceConfig",
    "Sweep",
    "TaskConfig",
    "TrackingConfig",
    "TrainingConfig",
    "load_sweep",
    "slug",
]
