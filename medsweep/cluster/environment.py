"""What must be set before Ray, or a host of its, is started."""

from __future__ import annotations

import os

# Every thread of a host allocates tensors of ever new lengths: with an arena a thread, and a
# compiled kernel kept for each of a thousand shapes, a host keeps growing.
ALLOCATOR = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",
}


def quiet() -> None:
    """Environment of Tune and Ray that must be set before they are imported.

    Tune's own loggers would import torch and write each configuration and result twice more;
    its interrupt handler would swallow the first Ctrl-C.
    """
    for name, value in {
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
        "TUNE_MAX_PENDING_TRIALS_PG": "16",
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
    }.items():
        os.environ.setdefault(name, value)
