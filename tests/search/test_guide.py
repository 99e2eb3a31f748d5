"""``strategy: frontier`` in the coordinator, without Ray and without training."""

import hashlib
import itertools
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from medsweep.cli import cli
from medsweep.cluster.halving import CellHalving
from medsweep.config import load_sweep
from medsweep.errors import InputErrors
from medsweep.plan.build import make_plan
from medsweep.plan.plan import Plan
from medsweep.record.journal import Journal
from medsweep.record.trial import Cell, Trial
from medsweep.search.coordinator import Coordinator
from medsweep.search.guide import Guide
from medsweep.sweep.results import complete_cells, given_up_cells, strategy_of
from medsweep.tracking import NullTracker
from tests.conftest import make_documents, write_jsonl

Event = dict[str, Any]


class Memory(Journal):
    """A journal that is not on disk."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = list(events)

    def append(self, event: str, **fields: Any) -> Event:
        self.events.append({"event": event, "time": float(len(self.events)), **fields})
        return self.events[-1]


@pytest.fixture
def planned(
    sweep_file: Callable[..., Path], tiny_bert: Path, tmp_path: Path
) -> Callable[..., Plan]:
    """A plan for two models, of which the second is the same under another name."""

    def make(**changes: Any) -> Plan:
        twin = tmp_path / "twin-bert"
        twin.symlink_to(tiny_bert)
        path = sweep_file(
            strategy="frontier",
            models=[str(tiny_bert), str(twin)],
            train_sizes=[6, 12, 24],
            search={"trials": 6, "rank": [2, 4], "top_layers": [1, "all"]},
            **changes,
        )
        return make_plan(load_sweep(path))

    return make


def luck(*parts: object) -> float:
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def score(trial: Trial, top: float) -> float:
    """Of a trial: rises with size, differs by recipe, draw and fold."""
    if trial.phase == "arm":
        return 0.7
    fine = luck(trial.recipe["learning_rate"], trial.cell.fold, trial.draw)
    return top - 1.5 / trial.cell.size + 0.05 * fine


def drive(
    plan: Plan,
    root: Path,
    events: Iterable[Event] = (),
    *,
    top: float = 0.9,
    until: int = 10**9,
    concurrency: int = 1,
    failing: str = "",
) -> Coordinator:
    """Do what the coordinator asks for, in any order, until it is done or the journal so long."""
    journal = Memory(events)
    work = Coordinator(
        plan,
        journal,
        list(events),
        CellHalving(plan.sweep.early_stopping, plan.evaluations),
        NullTracker().tell,
        root,
        concurrency,
    )
    live: list[Trial] = []
    rng = random.Random(0)
    while len(journal.events) < until:
        while (trial := work.next_trial()) is not None:
            live.append(trial)
        if not live:
            assert work.finished
            break
        assert not work.finished
        trial = live.pop(rng.randrange(len(live)))
        final, status = score(trial, top), "finished"
        if failing and trial.name.startswith(failing):
            work.ended(trial.name, "failed", "")
            continue
        (root / trial.name).mkdir(exist_ok=True)
        (root / trial.name / "state").touch()
        reported = trial.phase != "arm" or trial.arm == 0
        for i in range(1, 5) if reported and not trial.adopt else ():
            if not work.evaluated(trial.name, [{"iteration": i, "step": i, "score": final}]):
                status = "stopped"
                break
        work.ended(trial.name, status)
    work.journal = journal.events
    return work


def facts(work: Coordinator) -> dict[str, Any]:
    return {
        name: (r.status, r.trial.to_dict(), [e["score"] for e in r.evaluations])
        for name, r in work.records.by_name.items()
    }


@pytest.mark.parametrize("top", [0.3, 0.75, 1.0])
@pytest.mark.parametrize("concurrency", [1, 5])
def test_every_cell_is_confirmed_or_given_up(
    planned: Callable[..., Plan], tmp_path: Path, top: float, concurrency: int
) -> None:
    plan = planned()
    work = drive(plan, tmp_path, top=top, concurrency=concurrency)
    given_up = given_up_cells(plan, work.records)
    complete, failed = complete_cells(plan, work.records, given_up)
    assert not failed
    assert complete | given_up.keys() == {c.key for c in plan.cells}
    assert not complete & given_up.keys()
    said = strategy_of(plan, work.records, given_up)
    assert said["name"] == "frontier"
    assert [(c["model"], c["train_size"]) for c in said["given_up"]] == sorted(given_up)
    if top == 1.0:
        assert {c["trials"] for c in said["given_up"]} <= {0}
    if top == 0.3:
        assert all(c["trials"] for c in said["given_up"])


def test_larger_sizes_take_over_the_best_recipes(
    planned: Callable[..., Plan], tmp_path: Path
) -> None:
    plan = planned()
    assert [plan.budgets[Cell("tiny-bert", s)] for s in (6, 12, 24)] == [6, 2, 1]
    records = drive(plan, tmp_path, top=0.75).records
    for small, large in itertools.pairwise((6, 12, 24)):
        from_, to = (records.of(Cell("tiny-bert", s), "search") for s in (small, large))
        finished = [r for r in from_ if r.status == "finished"]
        best = max(finished, key=lambda r: (r.best or 0, -r.trial.number))
        assert to[0].trial.params == best.trial.params
        assert to[0].trial.recipe["seed"] != best.trial.recipe["seed"]
        assert {k: v for k, v in to[0].trial.recipe.items() if k != "seed"} == {
            k: v for k, v in best.trial.recipe.items() if k != "seed"
        }


@pytest.mark.parametrize("folds", [1, 2])
@pytest.mark.parametrize("top", [0.75, 0.85])
def test_a_killed_sweep_goes_on_as_an_undisturbed_one(
    planned: Callable[..., Plan], tmp_path: Path, folds: int, top: float
) -> None:
    changes: dict[str, Any] = {}
    if folds > 1:
        train = write_jsonl(tmp_path / "all.jsonl", make_documents(120, 1, "a"))
        evaluation = {"kind": "crossval", "folds": folds}
        changes["data"] = {"train": str(train), "dev": 18, "evaluation": evaluation}
    plan = planned(**changes)
    whole = drive(plan, tmp_path, top=top)
    for cut in range(1, len(whole.journal), 7):
        torn = drive(plan, tmp_path, whole.journal[:cut], top=top)
        assert facts(torn) == facts(whole)


def test_a_tuned_reference_is_searched_first_and_whole(
    planned: Callable[..., Plan], tiny_bert: Path, tmp_path: Path
) -> None:
    plan = planned(
        reference={"arm": "finetuned", "model": str(tiny_bert), "trials": 4, "draws": 2},
        draws=3,
    )
    guide, model = Guide(plan), str(plan.reference["model"])
    cell = Cell(model, 24)
    assert guide.reference == (cell,)
    assert dict(guide.design.chains)[model] == (6, 12)
    assert guide.design.reference_draws == 3
    work = drive(plan, tmp_path, top=0.75)
    assert len(work.records.of(cell, "search")) == 4
    assert len(work.records.of(cell, "confirm")) == 3
    searched = [r.trial for r in work.records.by_name.values() if r.trial.phase == "search"]
    assert [i.cell for i in searched[:4]] == [cell] * 4


def test_a_sweep_whose_reference_fails_comes_to_an_end(
    planned: Callable[..., Plan], tmp_path: Path
) -> None:
    work = drive(planned(), tmp_path, failing="arm-0")
    assert not [r for r in work.records.by_name.values() if r.trial.phase == "confirm"]


def test_a_failed_confirmation_is_made_up_for_on_resuming(
    planned: Callable[..., Plan], tmp_path: Path
) -> None:
    plan = planned()
    once = drive(plan, tmp_path, top=1.0, failing="tiny-bert-n6-d1")
    assert once.records.by_name["tiny-bert-n12-t00"]
    # Draw 0 is the search's winner: its state is needed as long as it may have to be judged again.
    adopted = tmp_path / str(once.records.by_name["tiny-bert-n6-d0"].trial.adopt) / "state"
    assert adopted.exists()
    again = drive(plan, tmp_path, once.journal, top=1.0)
    assert again.records.by_name["tiny-bert-n6-d1"].status == "finished"
    assert not adopted.exists()


def test_imported_predictions_are_no_reference_for_it(sweep_file: Callable[..., Path]) -> None:
    path = sweep_file(
        strategy="frontier", reference={"arm": "predictions", "options": {"path": "p.csv"}}
    )
    with pytest.raises(InputErrors, match="use strategy: grid"):
        load_sweep(path)


def test_plan_says_that_it_is_the_most(planned: Callable[..., Plan], tmp_path: Path) -> None:
    planned()
    path = tmp_path / "sweep.yaml"
    found = CliRunner().invoke(cli, ["plan", str(path), "--json"])
    assert found.exit_code == 0, found.output
    said = yaml.safe_load(found.stdout)
    assert said["search_trials"] == 18
    assert said["assumptions"][0] == "no cell is given up"
    assert "at most 18 search trials" in CliRunner().invoke(cli, ["plan", str(path)]).output
