"""Training adapters on a frozen base. Imports neither ray nor mlflow; torch only when used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from medsweep.models.load import Base, load_base
    from medsweep.tasks import Task
    from medsweep.training._base import Engine
    from medsweep.training.solo import SoloEngine

__all__ = ["Base", "SoloEngine", "load_base", "make_engine"]


def __getattr__(name: str) -> Any:
    # The processes that only schedule trials import contracts from here, but never torch.
    if name == "SoloEngine":
        from medsweep.training.solo import SoloEngine

        return SoloEngine
    if name in ("Base", "load_base"):
        from medsweep.models import load

        return getattr(load, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def make_engine(
    kind: Literal["shared", "solo"], base: Base, task: Task, *, scratch: Path | None = None
) -> Engine:
    """The engine that a sweep file asks for; a base that does not pack gets the solo one."""
    if kind == "shared":
        from medsweep.training.packed import packs
        from medsweep.training.shared import SharedEngine

        if packs(base):
            return SharedEngine(base, task, scratch=scratch)
    from medsweep.training.solo import SoloEngine

    return SoloEngine(base, task, scratch=scratch)
