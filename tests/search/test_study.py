import random

from medsweep.config import SearchConfig, TrainingConfig
from medsweep.record.records import TrialRecord
from medsweep.record.trial import Cell, Trial
from medsweep.search.depth import Observation, climb
from medsweep.search.study import CellStudy

CELL = Cell("m", 50)


def ended(number, params, rng):
    status = rng.choice(["finished", "stopped", "failed"])
    curve = [{"iteration": i, "score": rng.random()} for i in (1, 2)]
    trial = Trial(f"t{number}", "search", CELL, number=number, params=params)
    return TrialRecord(trial, status, [] if status == "failed" else curve)


def proposals(count, interrupted_at=None):
    """Three trials abreast, which end out of order."""
    rng, told, live, found = random.Random(0), [], [], []
    study = CellStudy(CELL, SearchConfig(), TrainingConfig(), seed=1, dev=40)
    for number in range(count):
        if number == interrupted_at:
            study = CellStudy(CELL, SearchConfig(), TrainingConfig(), seed=1, dev=40)
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


def seen(**scores):
    return [
        Observation({"top_layers": int(depth[1:]), "rank": 8}, s) for depth, s in scores.items()
    ]


def test_depth_is_climbed_only_while_it_pays_more_than_noise():
    # One standard error of a score of 0.5 on 100 documents is 0.05.
    assert climb((1, 3, 6), [], 100) == (1, None)
    assert climb((1, 3, 6), seen(d1=0.5), 100) == (3, {"top_layers": 1, "rank": 8})
    assert climb((1, 3, 6), seen(d1=0.5, d3=0.54), 100) == (1, None)
    assert climb((1, 3, 6), seen(d1=0.5, d3=0.56), 100)[0] == 6
    assert climb((1, 3, 6), seen(d1=0.5, d3=0.56, d6=0.58), 100) == (3, None)
    assert climb((1, 3, 6), seen(d1=0.5, d3=0.56, d6=0.9), 100) == (6, None)


def test_a_depth_that_fails_is_not_tried_again():
    assert climb((1, 3, 6), seen(d1=0.5, d3=0.0), 100) == (1, None)


def test_a_deeper_trial_repeats_the_best_recipe_so_far():
    rng = random.Random(0)
    study = CellStudy(CELL, SearchConfig(top_layers=(1, 3)), TrainingConfig(), seed=1, dev=40)
    first, _ = study.propose(0)
    record = ended(0, first, rng)
    record.status, record.evaluations = "finished", [{"iteration": 1, "score": 0.5}]
    study.tell(record)
    second, recipe = study.propose(1)
    assert second == {**first, "top_layers": 3}
    assert recipe.top_layers == 3
