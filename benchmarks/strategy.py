"""Does ``strategy: frontier`` find the grid's verdict, and at what share of its cost?

    nice python benchmarks/strategy.py --sweeps 300      # the table of docs/statistics.md
    nice python benchmarks/strategy.py --quick           # the same rows, 60 sweeps

Every simulated sweep is a full grid whose learning curves are known: each cell has its search
trials on dev and its confirmed draws on dev and test. The grid's verdict uses all of it. The
frontier is shown the same trials one by one, as it asks for them, and its verdict uses the cells
it confirmed.
The same verdict: the same ``smallest`` and the same ``fewest_labels``, model and size. Cost:
training documents x epochs x parameters, all of search and confirmation.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
from frontier import Ground, Look, Rung, pilot, survey
from numpy.typing import NDArray
from scipy import special

from medsweep.stats import bootstrap
from medsweep.stats.decide import _adjust
from medsweep.stats.frame import Entry
from medsweep.stats.judge import Evidence, Judge
from medsweep.stats.metrics import Counts

Array = NDArray[np.float64]
Right = NDArray[np.bool_]
Pair = tuple[str, int] | None

MARGIN, ALPHA, RESAMPLES = 0.05, 0.05, 600
PARAMETERS = {"tiny": 22e6, "small": 66e6, "base": 110e6, "large": 335e6}
SIZES = (25, 50, 100, 200, 400)
TRIALS, EPOCHS, LEAST_DOCUMENTS = 8, 8, 60 * 8
# Latent difficulty of a document: shared by all systems, by a cell's, a system's own.
SHARED, WITHIN = 0.5, 0.2
# ASHA: shares of a trial's budget at which it may be stopped, and how far scores are from final.
RUNGS = ((1 / 8, 0.03), (3 / 8, 0.015))


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


@dataclass
class Recorded:
    """One cell as the grid has it.

    Attributes:
        trials: dev answers of every search trial.
        ended: share of its budget that each trial got.
        cut: dev documents; the rest is test.
        ease: (draws, documents): latent ease of each document for each draw, whatever the recipe.
        score: (draws, trials): true score of each recipe on each draw.
        unit: cost of a whole trial.
    """

    trials: list[Right]
    ended: list[float]
    cut: int
    ease: Array
    score: Array
    unit: float

    def best(self, trials: int) -> int | None:
        """The best finished among the first ``trials``."""
        done = [t for t in range(trials) if self.ended[t] == 1]
        return max(done, key=lambda t: (self.trials[t].mean(), -t), default=None)

    def confirmed(self, trials: int) -> Right:
        """Answers of the best recipe on every draw: (draws, documents)."""
        best = self.best(trials)
        right: Right = self.ease < _threshold(self.score[:, best])[:, None]
        right[0, : self.cut] = self.trials[best or 0]
        return right

    def cost(self, trials: int, draws: int) -> float:
        """Of some trials and some draws; the first draw is the search's winner, adopted."""
        return self.unit * (sum(self.ended[:trials]) + max(0, draws - 1))


@dataclass
class Sweep:
    """A recorded full grid."""

    cells: dict[Rung, Recorded]
    dev: Right
    test: Right


def simulate(s: Scenario, rng: np.random.Generator) -> Sweep:
    """One full grid."""
    documents = s.dev + s.test
    shared = np.sqrt(SHARED) * rng.standard_normal(documents)
    own = np.sqrt(1 - SHARED)
    reference = shared + own * rng.standard_normal(documents) < special.ndtri(s.reference)
    cells = {}
    for m, (model, parameters) in enumerate(PARAMETERS.items()):
        for size in SIZES:
            unit = parameters * max(EPOCHS * size, LEAST_DOCUMENTS)
            cells[model, size] = _cell(s, rng, shared, s.curve(m, size), size, unit)
    return Sweep(cells, reference[: s.dev], reference[s.dev :])


def _cell(
    s: Scenario, rng: np.random.Generator, shared: Array, gap: float, size: int, unit: float
) -> Recorded:
    of_cell = shared + np.sqrt(WITHIN) * rng.standard_normal(len(shared))
    sd = s.sd * (size / SIZES[0]) ** -0.25
    shifts = sd * rng.standard_normal(s.draws)
    losses = rng.exponential(s.recipe, TRIALS)
    losses[0] *= 0.5
    own = np.sqrt(1 - SHARED - WITHIN)
    ease = of_cell + own * rng.standard_normal((s.draws, len(shared)))
    score = s.reference + gap + shifts[:, None] - losses
    in_search = of_cell[: s.dev] + own * rng.standard_normal((TRIALS, s.dev))
    trials = list(in_search < _threshold(score[0])[:, None])
    ended = _halving([float(t.mean()) for t in trials], rng)
    return Recorded(trials, ended, s.dev, ease, score, unit)


def _threshold(score: Array) -> Array:
    threshold: Array = special.ndtri(np.clip(score, 0.02, 0.995))
    return threshold


def _halving(finals: list[float], rng: np.random.Generator) -> list[float]:
    """The share of its budget that each trial gets."""
    seen: dict[float, list[float]] = {at: [] for at, _ in RUNGS}
    ended = []
    for final in finals:
        share = 1.0
        for at, noise in RUNGS:
            score = final + noise * float(rng.standard_normal())
            cutoff = np.quantile(seen[at], 2 / 3) if seen[at] else -np.inf
            seen[at].append(score)
            if score < cutoff:
                share = at
                break
        ended.append(share)
    return ended


# -- verdicts ---------------------------------------------------------------------------------


def verdict(
    sweep: Sweep, searched: Mapping[Rung, int], weights: NDArray[np.float32]
) -> tuple[Pair, Pair]:
    """Smallest model and fewest labels by medsweep's own decision."""
    rungs = sorted(searched)
    if not rungs:
        return None, None
    entries, rows = [], []
    for model, size in rungs:
        cell = sweep.cells[model, size]
        test = cell.confirmed(searched[model, size])[:, cell.cut :]
        at = tuple(range(len(rows), len(rows) + len(test)))
        entries.append(Entry("finetuned", model, size, tuple(range(len(test))), at))
        rows += list(test)
    reference = Entry("zero_shot", "reference", None, (0,), (len(rows),))
    right = np.stack([*rows, sweep.test])
    hit = right.astype(np.float32)[:, :, None]
    one = np.ones((right.shape[1], 1), dtype=np.float32)
    counts = Counts("accuracy", hit, np.broadcast_to(one, hit.shape), one, right.shape[1])
    evidence = Evidence.measure(counts, [*entries, reference], weights, right)
    judge = Judge(evidence, reference, MARGIN, ALPHA)
    # A planned model of which nothing was trained keeps its share of alpha, as one that fails does.
    absent = [Entry("finetuned", m, 0, (), ()) for m in PARAMETERS if m not in dict(rungs)]
    p_values = [*(judge.compare(e).p_value for e in entries), *(1.0 for _ in absent)]
    adjusted = _adjust([*entries, *absent], p_values)[: len(rungs)]
    matched = [r for r, p in zip(rungs, adjusted, strict=True) if p is not None and p <= ALPHA]
    smallest = min(matched, key=lambda r: (PARAMETERS[r[0]], r[1]), default=None)
    return smallest, min(matched, key=lambda r: (r[1], PARAMETERS[r[0]]), default=None)


# -- the frontier on a recorded grid -----------------------------------------------------------


def replay(sweep: Sweep, s: Scenario) -> tuple[dict[Rung, int], float]:
    """The cells that the frontier confirms, after how many trials, and what all of it costs."""
    cells = sweep.cells
    ground = Ground(
        tuple((model, SIZES) for model in PARAMETERS),
        pilot({r: c.unit for r, c in cells.items()}),
        MARGIN,
        ALPHA,
        s.draws,
        1,
        s.dev,
        s.test,
    )
    asked: dict[Rung, int] = {}
    confirmed: dict[Rung, int] = {}
    dropped: list[Rung] = []
    while True:
        looks = {r: _look(sweep, r, n, r in confirmed) for r, n in asked.items()}
        found = survey(ground, looks, dropped)
        dropped += found.drops
        confirmed |= {r: asked[r] for r in found.enough}
        if found.open:
            rung = min(found.open, key=lambda r: (asked.get(r, 0), -r[1]))
            asked[rung] = asked.get(rung, 0) + 1
            confirmed |= {rung: TRIALS} if asked[rung] == TRIALS else {}
        elif not found.enough:
            break
    cost = sum(cells[r].cost(n, s.draws if r in confirmed else 0) for r, n in asked.items())
    return confirmed, cost


def _look(sweep: Sweep, rung: Rung, ended: int, confirmed: bool) -> Look:
    cell = sweep.cells[rung]
    if confirmed:
        right = cell.confirmed(ended)[:, : cell.cut]
        gain = (right.astype(float) - sweep.dev).mean(axis=0)
        scores = tuple(float(d.mean()) for d in right)
        return Look("confirmed", ended, TRIALS, *_error(gain), None, scores)
    best = cell.best(ended)
    if best is None:
        return Look("searching", ended, TRIALS)
    scores = tuple(float(t.mean()) for t in cell.trials[:ended])
    spread = float(np.std(scores, ddof=1)) if ended > 1 else None
    gain = cell.trials[best].astype(float) - sweep.dev
    return Look("searching", ended, TRIALS, *_error(gain), spread)


def _error(gain: Array) -> tuple[float, float]:
    return float(gain.mean()), float(gain.var(ddof=1) / len(gain))


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


@dataclass
class Tally:
    """Over the sweeps of one scenario."""

    same: list[bool] = field(default_factory=list)
    smallest: list[bool] = field(default_factory=list)
    more: list[bool] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    grid: float = 0.0
    frontier: float = 0.0


def measure(s: Scenario, sweeps: int, seed: int) -> Tally:
    """Grid and frontier on the same sweeps."""
    rng = np.random.default_rng([seed, 5])
    weights = bootstrap.resample(s.test, RESAMPLES, rng)
    tally = Tally()
    for _ in range(sweeps):
        sweep = simulate(s, rng)
        grid = verdict(sweep, dict.fromkeys(sweep.cells, TRIALS), weights)
        confirmed, cost = replay(sweep, s)
        found = verdict(sweep, confirmed, weights)
        tally.same.append(found == grid)
        tally.smallest.append(found[0] == grid[0])
        tally.more.append(_further(found) < _further(grid))
        tally.cost.append(cost / sum(c.cost(TRIALS, s.draws) for c in sweep.cells.values()))
    return tally


def _further(found: tuple[Pair, Pair]) -> tuple[float, float]:
    smallest, fewest = found
    return (
        PARAMETERS[smallest[0]] if smallest else np.inf,
        float(fewest[1]) if fewest else np.inf,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sweeps", type=int, default=300)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    sweeps = 60 if options.quick else options.sweeps
    start = time.perf_counter()
    for i, s in enumerate(scenarios()):
        if options.only not in s.name:
            continue
        t = measure(s, sweeps, i)
        found = [np.mean(v) for v in (t.same, t.smallest, t.more, t.cost)]
        print(f"| {s.name} | {s.dev} |", " | ".join(f"{v:.3f}" for v in found), "|", flush=True)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
