"""Does ``strategy: frontier`` find the grid's verdict, and at what share of its cost?

    nice python benchmarks/strategy.py --sweeps 200      # the tables of docs/statistics.md
    nice python benchmarks/strategy.py --quick           # the same rows, 60 sweeps

A simulated sweep has known learning curves, and recipes whose quality at one training size tells
something (``--likeness``) of their quality at another. The grid searches and confirms every cell.
The frontier trains what ``interim_analysis`` of ``medsweep.search.frontier`` asks for; where it
trains what the grid has trained, it gets the very same answers. Both verdicts are medsweep's own.

The same verdict: the same ``smallest`` and the same ``fewest_labels``, model and size. Cost:
training documents x epochs x parameters, all of search and confirmation. *Second grid* is how often
a grid with other recipes and other seeds, but the same documents and draws, finds the first one's
verdict: no strategy that trains anything anew can be expected to do better. *At the margin* every
cell loses exactly the margin, so that every match is false.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
from numpy.typing import NDArray
from scipy import special

from medsweep.plan.build import trials_at
from medsweep.record.trial import CellKey
from medsweep.search.frontier import FrontierDesign, Interim, interim_analysis
from medsweep.stats import bootstrap
from medsweep.stats.frame import Entry
from medsweep.stats.judge import Evidence, Judge
from medsweep.stats.metrics import Counts
from medsweep.stats.systems import adjust

Array = NDArray[np.float64]
Right = NDArray[np.bool_]
Pair = tuple[str, int] | None

MARGIN, ALPHA, RESAMPLES = 0.05, 0.05, 600
PARAMETERS = {"tiny": 22e6, "small": 66e6, "base": 110e6, "large": 335e6}
MODELS = tuple(PARAMETERS)
SIZES = (25, 50, 100, 200, 400)
TRIALS, EPOCHS, LEAST_DOCUMENTS = 8, 8, 60 * 8
# Latent difficulty of a document: its variance shared by all systems, by a cell's, by a draw's;
# the rest is a run's own.
SHARED, WITHIN, OF_DRAW = 0.5, 0.2, 0.15
# ASHA: shares of a trial's budget at which it may be stopped, and how far scores are from final.
LEVELS = ((1 / 8, 0.03), (3 / 8, 0.015))


@dataclass(frozen=True)
class Scenario:
    """Sweeps whose truth is known.

    Attributes:
        name: as the table says it.
        curve: (model number, size) -> true score less the reference's.
        dev: dev documents.
        test: test documents.
        reference: its true score.
        sd: of the true score between draws at the smallest size; its variance falls with n^-0.5.
        recipe: mean loss of a random recipe against the best.
        draws: of every cell.
    """

    name: str
    curve: Callable[[int, int], float]
    dev: int = 100
    test: int = 500
    reference: float = 0.85
    sd: float = 0.03
    recipe: float = 0.03
    draws: int = 3


# (grid or frontier, model number, size, number) of the trial that first proposed it; the middle of
# the space is the same recipe everywhere.
Recipe = tuple[int, int, int, int]


class World:
    """Everything that training can turn out, made when it is asked for.

    Args:
        s: the truth.
        seed: of all that happens.
        likeness: correlation of a recipe's quality between two training sizes of a model.
    """

    def __init__(self, s: Scenario, seed: int, likeness: float) -> None:
        self.s, self._seed, self._likeness = s, seed, likeness
        shared = self._rng(0).standard_normal(s.dev + s.test) * np.sqrt(SHARED)
        own = np.sqrt(1 - SHARED) * self._rng(1).standard_normal(s.dev + s.test)
        self.reference: Right = shared + own < special.ndtri(s.reference)
        self._shared = shared
        self._ease: dict[tuple[int, int, int], tuple[Array, float]] = {}
        self._runs: dict[tuple[Recipe, int, int, int], Right] = {}

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, *key])

    def run(self, recipe: Recipe, size: int, draw: int, kind: int = 0) -> Right:
        """Answers of one training: (dev and test documents,)."""
        key = recipe, size, draw, kind
        if key not in self._runs:
            ease, shift = self._draw(recipe[1], size, draw)
            rng = self._rng(3, *recipe, size, draw, kind)
            run = np.sqrt(1 - SHARED - WITHIN - OF_DRAW) * rng.standard_normal(len(ease))
            score = self.s.reference + self.s.curve(recipe[1], size) + shift
            score += self._sd(size) * np.sqrt(0.5) * float(rng.standard_normal())
            score -= self._loss(recipe, size)
            self._runs[key] = ease + run < special.ndtri(np.clip(score, 0.02, 0.995))
        return self._runs[key]

    def _draw(self, model: int, size: int, draw: int) -> tuple[Array, float]:
        """Ease of the documents for one draw of a cell, and how good the draw is."""
        key = model, size, draw
        if key not in self._ease:
            cell = self._rng(4, model, size).standard_normal(len(self._shared))
            rng = self._rng(5, *key)
            own = np.sqrt(OF_DRAW) * rng.standard_normal(len(self._shared))
            shift = self._sd(size) * np.sqrt(0.5) * float(rng.standard_normal())
            self._ease[key] = self._shared + np.sqrt(WITHIN) * cell + own, shift
        return self._ease[key]

    def _sd(self, size: int) -> float:
        return self.s.sd * float((size / SIZES[0]) ** -0.25)

    def _loss(self, recipe: Recipe, size: int) -> float:
        """Exponential at every size, and alike between sizes."""
        common = float(self._rng(6, *recipe).standard_normal())
        own = float(self._rng(7, *recipe, size).standard_normal())
        z = np.sqrt(self._likeness) * common + np.sqrt(1 - self._likeness) * own
        loss = -self.s.recipe * float(np.log(special.ndtr(-z)))
        return loss / 2 if recipe[3] == 0 else loss


def cost_of(model: int, size: int) -> float:
    """Of one whole trial."""
    return PARAMETERS[MODELS[model]] * max(EPOCHS * size, LEAST_DOCUMENTS)


@dataclass
class Search:
    """The search of one cell.

    Attributes:
        cost: of its trials, those that were stopped in part.
        ranking: the best on dev first, those that were stopped last.
    """

    cost: float
    ranking: list[Recipe]


def search(world: World, model: int, size: int, recipes: list[Recipe], sweep: int) -> Search:
    """Try recipes on the first draw."""
    dev = [float(world.run(r, size, 0, sweep)[: world.s.dev].mean()) for r in recipes]
    rng = world._rng(8, model, size, sweep)
    ended = _halving(dev, rng)
    order = sorted(range(len(recipes)), key=lambda i: (ended[i] < 1, -dev[i], i))
    return Search(sum(ended) * cost_of(model, size), [recipes[i] for i in order])


def proposals(model: int, size: int, sweep: int) -> list[Recipe]:
    """The middle of the space, and random ones."""
    return [(0, model, 0, 0), *((sweep, model, size, t) for t in range(1, TRIALS))]


def confirm(world: World, recipe: Recipe, size: int, sweep: int) -> Right:
    """Answers of a recipe on every draw; the first is the search's: (draws, documents)."""
    return np.stack([world.run(recipe, size, d, sweep) for d in range(world.s.draws)])


def _halving(finals: list[float], rng: np.random.Generator) -> list[float]:
    """The share of its budget that each trial gets."""
    seen: dict[float, list[float]] = {at: [] for at, _ in LEVELS}
    ended = []
    for final in finals:
        share = 1.0
        for at, noise in LEVELS:
            score = final + noise * float(rng.standard_normal())
            cutoff = np.quantile(seen[at], 2 / 3) if seen[at] else -np.inf
            seen[at].append(score)
            if score < cutoff:
                share = at
                break
        ended.append(share)
    return ended


# -- the two strategies -----------------------------------------------------------------------


def grid(world: World, sweep: int = 0) -> tuple[dict[CellKey, Right], float]:
    """Every cell searched and confirmed: answers on all draws, and the cost of it."""
    cells, cost = {}, 0.0
    for m, model in enumerate(MODELS):
        for size in SIZES:
            found = search(world, m, size, proposals(m, size, sweep), sweep)
            cells[model, size] = confirm(world, found.ranking[0], size, sweep)
            cost += found.cost + (world.s.draws - 1) * cost_of(m, size)
    return cells, cost


def frontier(world: World) -> tuple[dict[CellKey, Right], float]:
    """What the frontier confirms, and the cost of all that it trains."""
    s = world.s
    chains = tuple((model, SIZES) for model in MODELS)
    design = FrontierDesign(chains, MARGIN, ALPHA, s.draws, "", 1, s.dev, s.test)
    reference = float(world.reference[: s.dev].mean())
    searched: dict[CellKey, Search] = {}
    confirmed: dict[CellKey, Right] = {}
    cost = 0.0
    while True:
        interims = {r: _interim(world, r, f, confirmed.get(r)) for r, f in searched.items()}
        found = interim_analysis(design, reference, interims)
        if found.cell is None:
            return confirmed, cost
        key = model, size = found.cell
        m, step = MODELS.index(model), SIZES.index(size)
        if key in searched:
            confirmed[key] = confirm(world, searched[key].ranking[0], size, 0)
            cost += cost_of(m, size) * (s.draws - 1)
            continue
        below = [searched[model, z] for z in SIZES[:step]]
        recipes = below[-1].ranking[: trials_at(TRIALS, step)] if below else None
        searched[key] = search(world, m, size, recipes or proposals(m, size, 0), 0)
        cost += searched[key].cost


def _interim(world: World, key: CellKey, found: Search, confirmed: Right | None) -> Interim:
    cut = world.s.dev
    if confirmed is None:
        return Interim("tried", float(world.run(found.ranking[0], key[1], 0)[:cut].mean()))
    scores = tuple(float(d[:cut].mean()) for d in confirmed)
    return Interim("confirmed", float(np.mean(scores[1:] or scores)), scores)


# -- verdicts ---------------------------------------------------------------------------------


def verdict(
    world: World,
    cells: Mapping[CellKey, Right],
    weights: list[NDArray[np.float32]],
) -> list[CellKey]:
    """The cells that match by medsweep's own decision."""
    keys = sorted(cells)
    entries, rows = [], []
    for key in keys:
        test = cells[key][:, world.s.dev :]
        at = tuple(range(len(rows), len(rows) + len(test)))
        entries.append(Entry("finetuned", *key, tuple(range(len(test))), at))
        rows += list(test)
    reference = Entry("zero_shot", "reference", None, (0,), (len(rows),))
    right = np.stack([*rows, world.reference[world.s.dev :]])
    hit = right.astype(np.float32)[:, :, None]
    one = np.ones((right.shape[1], 1), dtype=np.float32)
    counts = Counts("accuracy", hit, np.broadcast_to(one, hit.shape), one, right.shape[1])
    evidence = Evidence.measure(counts, [*entries, reference], weights, right)
    judge = Judge(evidence, reference, MARGIN, ALPHA)
    p_values: list[float | None] = [judge.compare(e).p_value for e in entries]
    adjusted = adjust(entries, p_values, len(MODELS) - len({model for model, _ in keys}))
    return [r for r, p in zip(keys, adjusted, strict=True) if p is not None and p <= ALPHA]


def answers(matched: Collection[CellKey]) -> tuple[Pair, Pair]:
    """Smallest model and fewest labels."""
    smallest = min(matched, key=lambda r: (PARAMETERS[r[0]], r[1]), default=None)
    return smallest, min(matched, key=lambda r: (r[1], PARAMETERS[r[0]]), default=None)


# -- the table ---------------------------------------------------------------------------------


def rising(*tops: float, steep: float = 4.0) -> Callable[[int, int], float]:
    """Curves that end at these gaps with the largest size, losing as n^-0.7 below it."""

    def gap(model: int, size: int) -> float:
        return tops[model] - steep * (size**-0.7 - SIZES[-1] ** -0.7)

    return gap


def scenarios() -> list[Scenario]:
    """The rows of the table."""

    def hump(model: int, size: int) -> float:
        return (-0.12, 0.05, 0.06, 0.06)[model] - 0.03 * abs(np.log2(size / 100)) ** 1.5

    small = rising(0.03, 0.06, 0.07, 0.08, steep=0.8)
    return [
        Scenario("nothing matches, by far", rising(-0.3, -0.25, -0.2, -0.15)),
        Scenario("nothing matches, by little", rising(-0.15, -0.12, -0.10, -0.08)),
        Scenario("only the largest size of large", rising(-0.3, -0.2, -0.12, 0.05, steep=10.0)),
        Scenario("large from n=100", rising(-0.3, -0.2, -0.12, 0.07, steep=2.0)),
        Scenario("base from n=200", rising(-0.3, -0.15, 0.04, 0.06)),
        Scenario("tiny matches from a small size", small),
        Scenario("tiny far better from a small size", rising(0.08, 0.09, 0.1, 0.1, steep=0.8)),
        Scenario("flat, all as good as the reference", lambda _m, _n: 0.0),
        Scenario("flat, all better", lambda _m, _n: 0.05),
        Scenario("not monotone: best at n=100", hump),
        Scenario("only large, dev 60", rising(-0.3, -0.2, -0.12, 0.05, steep=10.0), dev=60),
        Scenario("tiny from a small size, dev 60", small, dev=60),
        Scenario("nothing, by little, dev 60", rising(-0.15, -0.12, -0.10, -0.08), dev=60),
        Scenario("tiny from a small size, dev 200", small, dev=200),
    ]


def at_the_margin() -> list[Scenario]:
    """Where every match is false; recipes are all alike.

    With several draws: one makes no claim about labels, only about an adapter that may be lucky.
    """

    def edge(_model: int, _size: int) -> float:
        return -MARGIN

    def best_at_200(_model: int, size: int) -> float:
        return -MARGIN if size == 200 else -0.15

    return [
        Scenario("all cells at the margin", edge, recipe=1e-6),
        Scenario("draws differ much", edge, recipe=1e-6, sd=0.09),
        Scenario("dev 400, test 300", edge, recipe=1e-6, sd=0.06, dev=400, test=300),
        Scenario("at the margin with n=200 only", best_at_200, recipe=1e-6, sd=0.06),
    ]


def measure(s: Scenario, sweeps: int, seed: int, likeness: float) -> dict[str, float]:
    """Grid, second grid and frontier in the same worlds; means over sweeps."""
    weights = [bootstrap.resample(s.test, RESAMPLES, np.random.default_rng([seed, 5]))]
    rows = []
    for number in range(sweeps):
        world = World(s, seed * 100_000 + number, likeness)
        cells, whole = grid(world)
        confirmed, cost = frontier(world)
        matched = [verdict(world, x, weights) for x in (cells, grid(world, 1)[0], confirmed)]
        wanted, again, found = map(answers, matched)
        rows.append(
            {
                "same": found == wanted,
                "same again": again == wanted,
                "model": _model(found) == _model(wanted),
                "model again": _model(again) == _model(wanted),
                "some": bool(matched[2]),
                "some in the grid": bool(matched[0]),
                "cost": cost / whole,
            }
        )
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _model(found: tuple[Pair, Pair]) -> str | None:
    return found[0][0] if found[0] else None


# -- the tables -------------------------------------------------------------------------------


def show_simulated(sweeps: int, only: str, likeness: float) -> None:
    """One row a scenario; the second table is about level."""
    start = time.perf_counter()
    names = ["same", "same again", "model", "model again", "some", "some in the grid", "cost"]
    print("| truth | dev | same verdict | second grid | same model | second grid ", end="")
    print("| some match | in the grid | cost |\n" + "| --- " * 9 + "|")
    for i, s in enumerate(scenarios()):
        if only in s.name:
            found = measure(s, sweeps, i, likeness)
            row = " | ".join(f"{found[n]:.2f}" for n in names)
            print(f"| {s.name} | {s.dev} | {row} |", flush=True)
    print("\n| at the margin | false match | in the grid | cost |\n" + "| --- " * 4 + "|")
    for i, s in enumerate(at_the_margin(), start=100):
        if only in s.name:
            # A rate near alpha needs more sweeps than an agreement does.
            found = measure(s, 5 * sweeps, i, likeness)
            row = " | ".join(f"{found[n]:.3f}" for n in ("some", "some in the grid"))
            print(f"| {s.name} | {row} | {found['cost']:.2f} |", flush=True)
    print(f"\n{time.perf_counter() - start:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sweeps", type=int, default=200)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--likeness", type=float, default=0.8)
    options = parser.parse_args()
    show_simulated(60 if options.quick else options.sweeps, options.only, options.likeness)


if __name__ == "__main__":
    main()
