"""What the trials of a sweep say to the strategy ``frontier``.

Everything is derived from records, so a resumed sweep goes on as an undisturbed one.
"""

from __future__ import annotations

from statistics import fmean

from medsweep.plan.plan import Plan
from medsweep.record.records import Records, TrialRecord
from medsweep.record.trial import Cell, CellKey
from medsweep.search.frontier import (
    Continuation,
    FrontierDesign,
    Interim,
    Stage,
    chains_of,
    interim_analysis,
)


class Guide:
    """Says which cells of ``plan`` are worth going on with."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # A tuned reference is searched as in a grid, whatever candidates show.
        self.reference = plan.reference_cells
        self.design = design_of(plan, self.reference)
        self._sizes = dict(self.design.chains)

    def cells(self, key: CellKey) -> list[Cell]:
        """A cell in every fold."""
        return [Cell(*key, fold) for fold in range(len(self._plan.workload.folds))]

    def interim_analysis(self, records: Records) -> Continuation:
        """What follows from all that has happened."""
        interims = {
            (model, size): self._interim((model, size), records)
            for model, sizes in self.design.chains
            for size in sizes
        }
        return interim_analysis(self.design, self._reference_score(records), interims)

    def carried(self, cell: Cell, records: Records) -> list[TrialRecord]:
        """Trials of the next smaller size in the same fold, those with the best recipes first."""
        smaller = [s for s in self._sizes.get(cell.model, ()) if s < cell.size]
        if cell in self.reference or not smaller:
            return []
        return _ranking(records, Cell(cell.model, smaller[-1], cell.fold))

    def _reference_score(self, records: Records) -> float | None:
        if self.reference:
            interim = self._interim((self.reference[0].model, self.reference[0].size), records)
            return interim.score if interim.stage == "confirmed" else None
        first = next((r for r in records.by_name.values() if r.trial.arm == 0), None)
        return first.best if first and first.status == "finished" else None

    def _interim(self, key: CellKey, records: Records) -> Interim:
        cells = self.cells(key)
        stage = self._stage(cells, records)
        if stage == "tried":
            return Interim(stage, fmean(_ranking(records, c)[0].best or 0.0 for c in cells))
        if stage != "confirmed":
            return Interim(stage)
        by_draw: dict[int, list[float]] = {}
        for record in (r for c in cells for r in records.of(c, "confirm")):
            adopted = record.trial.adopt
            score = (records.by_name[adopted] if adopted else record).best
            by_draw.setdefault(record.trial.draw, []).append(score or 0.0)
        scores = tuple(fmean(by_draw[d]) for d in sorted(by_draw))
        # The first draw has chosen the recipe, which interims better there than it is.
        return Interim(stage, fmean(scores[1:] or scores), scores)

    def _stage(self, cells: list[Cell], records: Records) -> Stage:
        confirm = [r for c in cells for r in records.of(c, "confirm")]
        if confirm:
            whole = len(confirm) == len(cells) * self._plan.draws_of(cells[0])
            if not whole or any(r.ended is None for r in confirm):
                return "confirming"
            return "confirmed" if all(r.status == "finished" for r in confirm) else "failed"
        search = [records.of(c, "search") for c in cells]
        if not any(search):
            return "fresh"
        for cell, trials in zip(cells, search, strict=True):
            if len(trials) < self._plan.budgets[cell] or records.running(cell, "search"):
                return "searching"
        finished = [any(r.status == "finished" for r in trials) for trials in search]
        return "tried" if all(finished) else "failed"


def _ranking(records: Records, cell: Cell) -> list[TrialRecord]:
    """The search trials of a cell, the best first; those that were stopped come last."""
    tried = [r for r in records.of(cell, "search") if r.best is not None and r.status != "failed"]
    return sorted(tried, key=lambda r: (r.status != "finished", -(r.best or 0.0), r.trial.number))


def design_of(plan: Plan, reference: tuple[Cell, ...]) -> FrontierDesign:
    """What is known of a sweep before anything is trained."""
    work, sweep = plan.workload, plan.sweep
    keys = {c.key for c in plan.cells if c not in reference}
    dev = {d.group or d.id for fold in work.folds for d in fold.dev}
    test = {d.group or d.id for fold in work.folds for d in fold.test}
    return FrontierDesign(
        chains=chains_of(keys, {name: f.parameters for name, f in plan.folders.items()}),
        margin=sweep.decide.margin,
        alpha=sweep.decide.alpha,
        draws=sweep.draws,
        reference=plan.reference["model"] or "",
        reference_draws=plan.reference_draws,
        dev=len(dev),
        test=len(test),
        drops=len(work.folds) == 1,
    )
