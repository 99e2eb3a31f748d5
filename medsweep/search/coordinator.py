"""What comes next, and what has happened: the sweep's logic, without Ray.

In a grid a cell is searched, then its best recipe is confirmed on every draw as soon as its own
search is over; no cell waits for another. Under ``strategy: frontier`` a :class:`Guide` says which
cell comes next. Everything is written to the journal before it is acted on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from medsweep.models.size import shape_of
from medsweep.plan.plan import Plan
from medsweep.record.folder import TrialFolder
from medsweep.record.journal import Journal
from medsweep.record.records import Records, TrialRecord
from medsweep.record.trial import Cell, CellKey, Status, Trial, derive_seed
from medsweep.search.guide import Guide
from medsweep.search.study import CellStudy


class Halving(Protocol):
    """Early stopping within a cell."""

    def goes_on(self, cell: Cell, trial: str, iteration: int, score: float) -> bool:
        """Record a score and decide; replaying old results in order rebuilds its state."""
        ...


class Coordinator:
    """Hands out trials and takes in results.

    Args:
        plan: what is to be done.
        journal: where it is written down.
        events: the journal so far; empty for a fresh sweep.
        halving: early stopping.
        tell: is given the record of every trial that has changed.
        root: folder of the trials' folders.
        concurrency: trials under way at once.
    """

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        events: Iterable[dict[str, Any]],
        halving: Halving,
        tell: Callable[[TrialRecord], None],
        root: Path,
        concurrency: int,
    ) -> None:
        self.plan, self.records = plan, Records()
        self.concurrency = concurrency
        self._journal, self._tell, self._root = journal, tell, root
        sweep = plan.sweep
        self._halving = halving
        self._studies = {
            c: CellStudy(
                c,
                plan.search_of(c),
                sweep.training,
                sweep.seed,
                len(plan.workload.folds[c.fold].dev),
            )
            for c in plan.cells
        }
        self._guide = Guide(plan) if sweep.strategy == "frontier" else None
        # One trial of a cell at a time where there are cells enough to keep every slot busy:
        # each proposal then knows all that came before, and a search is the same in every run.
        searched = len(plan.workload.folds) if self._guide else len(plan.cells)
        self._abreast = max(1, -(-concurrency // max(1, searched)))
        self._proposed: dict[Cell, int] = dict.fromkeys(plan.cells, 0)
        # Without embeddings, which cost nothing and are most of a small multilingual model.
        self._weights = {name: shape_of(folder).weights for name, folder in plan.folders.items()}
        self._live: set[str] = set()
        self._ready: deque[Trial] = deque()
        self._arms = deque(self._arm_trials())
        self._replay(events)

    # -- what comes next ------------------------------------------------------------------

    def next_trial(self) -> Trial | None:
        """The next trial to start, or None where none may start now."""
        if len(self._live) >= self.concurrency:
            return None
        trial = self._pick()
        if trial is None:
            return None
        self._live.add(trial.name)
        record = self.records.by_name.get(trial.name)
        if record is None or record.status != "running":
            self._write("proposed", item=trial.to_dict())
        return trial

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return not (self._live or self._ready or self._arms or self._searchable() or self._due())

    def given_up(self) -> Collection[CellKey]:
        """What the guide passes over, as it interims now; nothing in a grid."""
        return self._guide.interim_analysis(self.records).given_up if self._guide else ()

    def next_models(self) -> list[str]:
        """Base models of the trials that come next, in their order, each once; a look ahead."""
        confirmed = [trial.cell.model for trial in (*self._ready, *self._due())]
        cells = self._searchable()
        if self._guide is None:
            cells = sorted(cells, key=self._turn)
        return list(dict.fromkeys([*confirmed, *(cell.model for cell in cells)]))

    def _pick(self) -> Trial | None:
        if self._ready:
            return self._ready.popleft()
        if self._arms:
            return self._arms.popleft()
        if due := self._due():
            return due[0]
        running = self.records.running
        cells = [c for c in self._searchable() if running(c, "search") < self._abreast]
        if not cells:
            return None
        if self._guide is not None:
            return self._propose(cells[0])
        return self._propose(min(cells, key=self._turn))

    def _turn(self, cell: Cell) -> tuple[int, int, Cell]:
        """Cells take turns; within a turn the longest come first, which shortens the tail."""
        return self._proposed[cell], -self._cost(cell), cell

    def _searchable(self) -> list[Cell]:
        cells: Iterable[Cell] = self.plan.cells
        if self._guide is not None:
            cells = [*self._guide.reference, *self._guided()]
        return [c for c in cells if self._proposed[c] < self.plan.budgets[c]]

    def _guided(self) -> list[Cell]:
        """The cells that the guide goes on with, in every fold."""
        assert self._guide is not None
        key = self._guide.interim_analysis(self.records).cell
        return self._guide.cells(key) if key is not None else []

    def _due(self) -> list[Trial]:
        """The confirmations that the guide waits for; a grid has them ready."""
        if self._guide is None:
            return []
        over = [c for c in self._guided() if self._search_over(c)]
        known = self.records.by_name
        return [i for c in over for i in self._confirmations(c) if i.name not in known]

    def _search_over(self, cell: Cell) -> bool:
        over = self._proposed[cell] >= self.plan.budgets[cell]
        return over and not self.records.running(cell, "search")

    def _cost(self, cell: Cell) -> int:
        """Of a trial, roughly and up to a factor."""
        return cell.size * self._weights[cell.model]

    def _name(self, cell: Cell) -> str:
        return cell.name_among(len(self.plan.workload.folds))

    def _propose(self, cell: Cell) -> Trial:
        number = self._proposed[cell]
        self._proposed[cell] += 1
        params, recipe = self._recipe(cell, number)
        return Trial(
            f"{self._name(cell)}-t{number:02d}",
            "search",
            cell,
            number=number,
            params=params,
            recipe=recipe,
        )

    def _recipe(self, cell: Cell, number: int) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Parameters and recipe of a trial: taken over from a smaller size, or Optuna's."""
        carried = self._guide.carried(cell, self.records) if self._guide else []
        if number < len(carried):
            best = carried[number].trial
            seed = derive_seed(self.plan.sweep.seed, "trial", cell.name, number)
            return best.params, {**best.recipe, "seed": seed}
        params, recipe = self._studies[cell].propose(number)
        return params, recipe.to_dict()

    def _confirmations(self, cell: Cell) -> list[Trial]:
        """The best recipe of a searched cell on every draw.

        The best trial itself was trained on draw 0 with all of its budget: its adapter is
        adopted, not trained again. A stopped trial cannot win: it was behind when it stopped.
        """
        done = [r for r in self.records.of(cell, "search") if r.status == "finished"]
        if not done:
            return []
        best = max(done, key=lambda r: (r.best or 0.0, -r.trial.number))
        trials = []
        for draw in range(self.plan.draws_of(cell)):
            seed = derive_seed(self.plan.sweep.seed, "confirm", cell.name, draw)
            trials.append(
                Trial(
                    f"{self._name(cell)}-d{draw}",
                    "confirm",
                    cell,
                    draw=draw,
                    params=best.trial.params,
                    recipe=best.trial.recipe if draw == 0 else {**best.trial.recipe, "seed": seed},
                    adopt=best.trial.name if draw == 0 else None,
                )
            )
        return trials

    def _arm_trials(self) -> list[Trial]:
        slugs = {model.id: name for name, model in self.plan.workload.models.items()}
        trials = []
        for number, arm in enumerate(self.plan.workload.arms):
            model = slugs[arm.model.id] if arm.model else ""
            name = "-".join(p for p in ("arm", str(number), arm.arm.replace("_", "-"), model) if p)
            trials.append(Trial(name, "arm", Cell(model, 0), arm=number))
        return trials

    # -- what has happened ----------------------------------------------------------------

    def evaluated(self, name: str, curve: Sequence[dict[str, Any]]) -> bool:
        """Take in a trial's learning curve so far; False where ASHA stops it."""
        goes_on = True
        record = self.records.by_name[name]
        for values in curve:
            if record.has(values["iteration"]):
                continue
            self._write("evaluation", trial=name, values=values)
            goes_on = self._climb(record.trial, values) and goes_on
        return goes_on

    def ended(self, name: str, status: Status, error: str | None = None) -> None:
        """Take in a trial's end; the first word counts."""
        record = self.records.by_name[name]
        self._live.discard(name)
        if record.status != "running":
            return
        self._write("ended", trial=name, status=status, error=error)
        if record.trial.phase == "search":
            self._search_trial_ended(record)
        elif record.trial.phase == "confirm":
            self._clear(record.trial.cell)

    def _climb(self, trial: Trial, values: dict[str, Any]) -> bool:
        return trial.phase != "search" or self._halving.goes_on(
            trial.cell, trial.name, values["iteration"], values["score"]
        )

    def _search_trial_ended(self, record: TrialRecord) -> None:
        cell = record.trial.cell
        self._studies[cell].tell(record)
        guided = self._guide is not None and cell not in self._guide.reference
        if not guided and self._search_over(cell):
            self._ready.extend(self._confirmations(cell))

    def _clear(self, cell: Cell) -> None:
        """Remove the states of a confirmed cell's trials: the largest files of a sweep."""
        confirmed = self.records.of(cell, "confirm")
        finished = [r for r in confirmed if r.status == "finished"]
        if len(finished) == self.plan.draws_of(cell):
            for record in [*self.records.of(cell, "search"), *confirmed]:
                TrialFolder(self._root, record.trial.name).forget_state()

    def _write(self, event: str, **fields: Any) -> None:
        self.records.apply(self._journal.append(event, **fields))
        name = fields["trial"] if "trial" in fields else fields["item"]["name"]
        self._tell(self.records.by_name[name])

    # -- after an interruption ------------------------------------------------------------

    def _replay(self, events: Iterable[dict[str, Any]]) -> None:
        """Rebuild studies and keys in the order of events, and queue what was under way."""
        behind: set[str] = set()
        for event in events:
            kind, name = event["event"], event.get("trial")
            if kind == "ended" and self.records.by_name[str(name)].status != "running":
                continue
            self.records.apply(event)
            if kind == "proposed" and event["item"]["phase"] == "search":
                trial = Trial.from_dict(event["item"])
                self._proposed[trial.cell] = max(self._proposed[trial.cell], trial.number + 1)
            elif kind == "evaluation" and not self._climb(
                self.records.by_name[str(name)].trial, event["values"]
            ):
                behind.add(str(name))
            elif kind == "ended" and self.records.by_name[str(name)].trial.phase == "search":
                self._search_trial_ended(self.records.by_name[str(name)])
        known = self.records.by_name
        # Confirm trials queued by the replay may have been proposed later in the journal.
        self._ready = deque(i for i in self._ready if i.name not in known)
        self._ready.extend(
            r.trial for r in known.values() if r.trial.phase == "confirm" and r.status == "failed"
        )
        self._arms = deque(
            i for i in self._arms if i.name not in known or known[i.name].status == "failed"
        )
        for name, record in known.items():
            if record.status != "running":
                continue
            curve = TrialFolder(self._root, name).curve()
            if name in behind or not self.evaluated(name, curve):
                self.ended(name, "stopped")
            else:
                self._ready.appendleft(record.trial)
        # What a killed process had not told yet, and which trials are under way again.
        for record in known.values():
            self._tell(record)
