"""Training adapters on a frozen base: recipes, methods, engines; torch only when used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from medsweep.models.load import Base
    from medsweep.tasks import Task
    from medsweep.training.engines._base import Engine

__all__ = ["make_engine"]


def make_engine(
    kind: Literal["shared", "solo"], base: Base, task: Task, *, scratch: Path | None = None
) -> Engine:
    """The engine that a sweep file asks for; a base that does not pack gets the solo one."""
    # The processes that only schedule trials import contracts from here, but never torch.
    if kind == "shared":
        from medsweep.training.engines.packed import can_pack
        from medsweep.training.engines.shared import SharedEngine

        if can_pack(base):
            return SharedEngine(base, task, scratch=scratch)
    from medsweep.training.engines.solo import SoloEngine

    return SoloEngine(base, task, scratch=scratch)
