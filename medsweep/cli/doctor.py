"""`medsweep doctor`."""

from __future__ import annotations

import os
from importlib import metadata

import click


@click.command(
    epilog="""\b
Example:
  medsweep doctor
"""
)
def command() -> None:
    """Say what this machine has: cores, memory, accelerators, bf16, packages.

    Nothing is started and nothing is sent anywhere.
    """
    import psutil
    import torch

    from medsweep.models.convert import cache_folder
    from medsweep.models.precision import native_bf16

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    memory = psutil.virtual_memory()
    rows = {
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory.total / 2**30:.0f} GiB, {memory.available / 2**30:.0f} GiB free",
        "accelerators": ", ".join(names) or "none: adapters are trained on the CPU",
        "arithmetic": "bf16" if native_bf16(device) else "fp32 (no native bf16 here)",
        "converted models": str(cache_folder()),
    }
    for package in ("medsweep", "ray", "torch", "transformers", "peft", "optuna", "mlflow"):
        rows[package] = metadata.version(package)
    width = max(map(len, rows))
    for name, value in rows.items():
        click.echo(f"{name:<{width}}  {value}")
