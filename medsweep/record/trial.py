"""A trial: what Ray Tune is asked to run, and the cell it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Phase = Literal["search", "confirm", "arm"]
Status = Literal["running", "finished", "stopped", "failed"]
# (model, training size): a cell in all of its folds.
CellKey = tuple[str, int]


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """(base model, training size), in one fold of the evaluation.

    A hold-out evaluation has the one fold 0. Under cross-validation the search of a cell is
    repeated in every fold, so that no choice is made on documents that later judge it.
    """

    model: str
    size: int
    fold: int = 0

    @property
    def name(self) -> str:
        """What random numbers are drawn by: the first fold draws what a hold-out would."""
        return self.name_among(self.fold + 1)

    def name_among(self, folds: int) -> str:
        """Safe in file names, and unique in a sweep of so many folds."""
        fold = f"-f{self.fold}" if folds > 1 else ""
        return f"{self.model}-n{self.size}{fold}"

    @property
    def key(self) -> CellKey:
        """What a verdict is given for, whatever the fold."""
        return self.model, self.size


@dataclass(frozen=True, slots=True)
class Trial:
    """One Tune trial. Holds no text, so that its configuration may be written anywhere.

    Attributes:
        name: unique in the sweep: ``minilm-n50-t03`` (search), ``minilm-n50-d1`` (confirm),
            ``arm-0-tfidf``; under cross-validation ``minilm-n50-f0-t03``.
        phase: search, confirm, or another arm than a tuned candidate.
        cell: model, training size, fold; an arm trial spans all cells (size and fold 0).
        draw: which draw of the ladder is trained on.
        number: place in the cell's search, from 0.
        params: what Optuna chose, by parameter.
        recipe: everything that decides what the adapter becomes.
        adopt: a finished trial whose adapter is taken over instead of training it again.
        arm: an arm trial's place in the sweep's list of arms.
    """

    name: str
    phase: Phase
    cell: Cell
    draw: int = 0
    number: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    adopt: str | None = None
    arm: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values: a Tune configuration, a line of the journal."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Trial:
        """The inverse of :meth:`to_dict`."""
        return cls(**{**values, "cell": Cell(**values["cell"])})


def derive_seed(*parts: object) -> int:
    """A 31-bit seed from anything that has a stable ``str``; the same on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
