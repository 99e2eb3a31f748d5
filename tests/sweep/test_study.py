import random

from medsweep.config import Search, Training
from medsweep.sweep.items import Cell, Item
from medsweep.sweep.records import Record
from medsweep.sweep.study import CellStudy

CELL = Cell("m", 50)


def ended(number, params, rng):
    status = rng.choice(["finished", "stopped", "failed"])
    curve = [{"iteration": i, "score": rng.random()} for i in (1, 2)]
    item = Item(f"t{number}", "search", CELL, number=number, params=params)
    return Record(item, status, [] if status == "failed" else curve)


def proposals(count, interrupted_at=None):
    """Three trials abreast, which end out of order."""
    rng, told, live, found = random.Random(0), [], [], []
    study = CellStudy(CELL, Search(), Training(), seed=1)
    for number in range(count):
        if number == interrupted_at:
            study = CellStudy(CELL, Search(), Training(), seed=1)
            for record in told:
                study.tell(record)
        params, recipe = study.propose(number)
        found.append((params, recipe))
        live.append((number, params))
        if len(live) == 3:
            told.append(ended(*live.pop(rng.randrange(3)), rng))
            study.tell(told[-1])
    return found


def test_a_resumed_cell_proposes_what_an_undisturbed_one_would():
    assert proposals(20, interrupted_at=12) == proposals(20)
