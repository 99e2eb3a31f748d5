"""Base models: where they lie, how many parameters they have, which layers are adapted."""

from medsweep.models.resolve import ModelFolder, check_writes, resolve

__all__ = ["ModelFolder", "check_writes", "resolve"]
