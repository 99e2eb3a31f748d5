"""Which of a cell's adapters is handed over, to whomever."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medsweep.errors import ConfigError
from medsweep.export.metadata import AdapterMetadata, read_metadata
from medsweep.record.trial import Trial
from medsweep.training.recipe import METADATA


@dataclass(frozen=True, slots=True)
class SavedAdapter:
    """A confirmed adapter in a sweep's folder."""

    path: Path
    metadata: AdapterMetadata
    trial: Trial


def best_adapter(
    folder: Path, model: str, size: int, draw: int | None = None, fold: int | None = None
) -> SavedAdapter:
    """Of the adapters of a cell the one with the best dev score; ties go to the first.

    Args:
        folder: of the sweep.
        model: slug.
        size: training documents.
        draw: the only one to look at.
        fold: the same.

    Raises:
        ConfigError: there is none.
    """
    saved: list[SavedAdapter] = []
    for path in sorted((folder / "adapters").glob(f"*/{METADATA}")):
        metadata = read_metadata(path.parent)
        saved.append(SavedAdapter(path.parent, metadata, Trial.from_dict(metadata.trial)))
    matching = [
        s
        for s in saved
        if (s.trial.cell.model, s.trial.cell.size) == (model, size)
        and draw in (None, s.trial.draw)
        and fold in (None, s.trial.cell.fold)
    ]
    if not matching:
        names = ", ".join(s.path.name for s in saved) or "none"
        which = f"{model} at {size} documents"
        which += "" if draw is None else f", draw {draw}"
        which += "" if fold is None else f", fold {fold}"
        raise ConfigError(
            f"no adapter of {which}", where=str(folder / "adapters"), fix=f"there are: {names}"
        )
    return max(
        matching, key=lambda s: (s.metadata.dev_score or 0.0, -s.trial.cell.fold, -s.trial.draw)
    )
