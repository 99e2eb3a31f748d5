"""Is the verdict's error what it says? Simulated sweeps whose truth is known.

    nice python benchmarks/calibration.py --sweeps 2000          # the tables of docs/statistics.md
    nice python benchmarks/calibration.py --quick                # the same rows, 200 sweeps

Every sweep draws new test documents, a fixed reference and candidate cells whose *population*
score is known in closed form: the metric of the expected counts, averaged over the draws' normal
shifts. The decision is medsweep's own code from the counts on (``Evidence``, ``Judge``). Prints
markdown tables; the Monte-Carlo error of a rate p is sqrt(p (1 - p) / sweeps).
"""

from __future__ import annotations

import argparse
import functools
import os
import time
from dataclasses import dataclass, field, replace

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from medsweep.stats import bootstrap, power, variance
from medsweep.stats.decide import _adjust
from medsweep.stats.frame import Entry
from medsweep.stats.judge import Evidence, Judge
from medsweep.stats.metrics import Counts

Array = NDArray[np.float64]

MARGIN, ALPHA = 0.05, 0.05
PRIORS = np.array([0.55, 0.30, 0.10, 0.05])
# Rare classes are harder.
OFFSETS = np.array([0.2, 0.0, -0.3, -0.5])
SPANS, EXTRA = 4.0, 0.15
SHARED, WITHIN = 0.5, 0.2
RESAMPLES = 1_000
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
_NODE_WEIGHTS = _NODE_WEIGHTS / _NODE_WEIGHTS.sum()


@dataclass(frozen=True)
class Scenario:
    """A kind of sweep.

    Attributes:
        metric: accuracy, macro_f1 or span_f1.
        documents: in the test set.
        draws: of every cell.
        sd: standard deviation of the true score between draws, at the smallest size.
        models: candidate models.
        sizes: training sizes of each model.
        slope: power of n with which the *variance* between draws falls.
        uneven: factor between the draw SDs of the least and the most stable model.
        reference: the reference's true score.
        loss: how far below it every cell's true score lies.
        group: documents of one patient.
        reference_draws: more than one: the reference is trained too, with the same sd.
    """

    metric: str
    documents: int = 500
    draws: int = 3
    sd: float = 0.03
    models: int = 4
    sizes: tuple[int, ...] = (50, 200)
    slope: float = -0.5
    uneven: float = 1.0
    reference: float = 0.85
    loss: float = MARGIN
    group: int = 1
    reference_draws: int = 1
    tags: dict[str, str] = field(default_factory=dict, compare=False, hash=False)


def population_score(metric: str, threshold: Array) -> Array:
    """The metric of the expected counts of systems with these thresholds."""
    t = np.asarray(threshold, dtype=float)
    if metric == "span_f1":
        found = special.ndtr(t)
        return 2 * found / (found + EXTRA + 1)
    right = special.ndtr(t[..., None] + OFFSETS)
    if metric == "accuracy":
        return right @ PRIORS
    wrong = PRIORS[:, None] * (1 - right[..., :, None]) * confusion()
    predicted = PRIORS * right + wrong.sum(axis=-2)
    return (2 * PRIORS * right / (PRIORS + predicted)).mean(axis=-1)


@functools.cache
def confusion() -> Array:
    """(gold, pred): where wrong answers go, by prior."""
    share = np.tile(PRIORS, (len(PRIORS), 1))
    np.fill_diagonal(share, 0)
    return share / share.sum(axis=1, keepdims=True)


@functools.cache
def solve(metric: str, mean: float, sd: float) -> tuple[float, float]:
    """Threshold and shift SD of a cell whose draws score ``mean`` ± ``sd`` in the population."""

    def moments(t: float, shift: float) -> tuple[float, float]:
        scores = population_score(metric, t + shift * _NODES)
        centre = float(scores @ _NODE_WEIGHTS)
        return centre, float(np.sqrt(((scores - centre) ** 2) @ _NODE_WEIGHTS))

    def centred(shift: float) -> float:
        return float(optimize.brentq(lambda t: moments(t, shift)[0] - mean, -4, 6))

    if sd == 0:
        return centred(0.0), 0.0
    shift = float(optimize.brentq(lambda s: moments(centred(s), s)[1] - sd, 1e-6, 2.0))
    return centred(shift), shift


class Simulator:
    """Draws the counts of one sweep after another."""

    def __init__(self, scenario: Scenario, rng: np.random.Generator) -> None:
        self.scenario, self.rng = scenario, rng
        s = scenario
        factors = np.geomspace(s.uneven**-0.5, s.uneven**0.5, s.models)
        self.entries: list[Entry] = []
        shifts: list[tuple[float, float]] = []
        row = 0
        for m in range(s.models):
            for n in s.sizes:
                sd = s.sd * float(factors[m]) * (n / s.sizes[0]) ** (s.slope / 2)
                shifts.append(solve(s.metric, s.reference - s.loss, round(sd, 6)))
                rows = tuple(range(row, row + s.draws))
                self.entries.append(Entry("finetuned", f"m{m}", n, tuple(range(s.draws)), rows))
                row += s.draws
        own_sd = s.sd * s.sizes[-1] ** 0 if s.reference_draws > 1 else 0.0
        shifts.append(solve(s.metric, s.reference, own_sd))
        rows = tuple(range(row, row + s.reference_draws))
        self.reference = Entry("finetuned", "ref", 400, tuple(range(s.reference_draws)), rows)
        self.entries.append(self.reference)
        self.systems = row + s.reference_draws
        self.cell = np.concatenate([[i] * len(e.rows) for i, e in enumerate(self.entries)])
        self.threshold = np.array([t for t, _ in shifts])[self.cell]
        self.shift = np.array([x for _, x in shifts])[self.cell]

    def draw(self) -> tuple[Counts, NDArray[np.bool_] | None]:
        """The counts of one sweep, and who was right where that is the metric."""
        s, rng = self.scenario, self.rng
        at = self.threshold + self.shift * rng.standard_normal(self.systems)
        if s.metric == "span_f1":
            counts, right = self._spans(at), None
        else:
            counts, right = self._labels(at)
        if s.group > 1:
            return counts.grouped(np.arange(s.documents) // s.group), None
        return counts, right

    def _latent(self) -> Array:
        """Standard normal difficulty of each document for each system, correlated."""
        s, rng, n = self.scenario, self.rng, self.scenario.documents
        shared = rng.standard_normal(n)
        if s.group > 1:
            patient = np.repeat(rng.standard_normal(n // s.group), s.group)
            shared = np.sqrt(0.5) * (shared + patient)
        cells = rng.standard_normal((len(self.entries), n), dtype=np.float32)[self.cell]
        own = rng.standard_normal((self.systems, n), dtype=np.float32)
        return (
            np.sqrt(SHARED) * shared + np.sqrt(WITHIN) * cells + np.sqrt(1 - SHARED - WITHIN) * own
        )

    def _labels(self, at: Array) -> tuple[Counts, NDArray[np.bool_] | None]:
        s, rng = self.scenario, self.rng
        gold = rng.choice(len(PRIORS), s.documents, p=PRIORS)
        right = self._latent() < at[:, None] + OFFSETS[gold]
        if s.metric == "accuracy":
            one = np.ones((s.documents, 1), dtype=np.float32)
            hit = right.astype(np.float32)[:, :, None]
            return Counts("accuracy", hit, np.broadcast_to(one, hit.shape), one, s.documents), right
        cumulative = confusion().cumsum(axis=1)[gold]
        other = (rng.random((self.systems, s.documents))[:, :, None] > cumulative).sum(axis=2)
        pred = np.where(right, gold, np.minimum(other, len(PRIORS) - 1))
        # As in medsweep: the classes are those of this test set's gold values.
        eye = np.eye(len(PRIORS), dtype=np.float32)[:, np.unique(gold)]
        return Counts("macro_f1", eye[pred] * eye[gold], eye[pred], eye[gold], s.documents), None

    def _spans(self, at: Array) -> Counts:
        s, rng = self.scenario, self.rng
        there = rng.negative_binomial(2, 2 / (2 + SPANS), s.documents)
        # Documents differ in difficulty, by system and shared; the mean over them is ndtr(at).
        spread = 0.7
        easy = at[:, None] * np.sqrt(1 + spread**2) + spread * self._latent()
        hit = rng.binomial(there, special.ndtr(easy))
        extra = rng.poisson(SPANS * EXTRA, hit.shape)
        as_counts = [x.astype(np.float32)[..., None] for x in (hit, hit + extra, there)]
        return Counts("span_f1", *as_counts, int(there.sum()))


@dataclass
class Rates:
    """What happened over many sweeps; each attribute is a share."""

    per_cell: float
    family: float
    coverage: float
    adapter: float
    difference: float


def simulate(scenario: Scenario, sweeps: int, seed: int) -> Rates:
    """Decide many sweeps and count matches and covered truths."""
    rng = np.random.default_rng([seed, 7])
    simulator = Simulator(scenario, rng)
    units = scenario.documents // scenario.group
    weights = bootstrap.resample(units, RESAMPLES, rng)
    candidates = simulator.entries[:-1]
    truth = scenario.reference - scenario.loss
    cells = family = covered = adapter = two_sided = 0
    for _ in range(sweeps):
        counts, right = simulator.draw()
        evidence = Evidence.measure(counts, simulator.entries, weights, right)
        judge = Judge(evidence, simulator.reference, MARGIN, ALPHA)
        bounds = [
            judge.compare(e) if scenario.draws > 1 else judge.adapter_claim(e) for e in candidates
        ]
        p_values = [b.p_value for b in bounds]
        matched = [p <= ALPHA for p in _adjust(candidates, p_values)]
        cells += sum(p <= ALPHA for p in p_values)
        family += any(matched)
        wide = replace(judge, alpha=ALPHA / 2)
        for e, b in zip(candidates[:8], bounds, strict=False):
            low, high = judge.score_interval(e)
            covered += low <= truth <= high
            width = b.diff - wide.compare(e).lower
            two_sided += abs(b.diff + scenario.loss) <= width
        adapter += judge.adapter_claim(candidates[0]).p_value <= ALPHA
    checked = sweeps * min(8, len(candidates))
    return Rates(
        cells / sweeps / len(candidates),
        family / sweeps,
        covered / checked,
        adapter / sweeps,
        two_sided / checked,
    )


def methods(scenario: Scenario, sweeps: int, seed: int) -> dict[str, float]:
    """False matches of one cell at the edge, by ways to treat draws."""
    rng = np.random.default_rng([seed, 8])
    simulator = Simulator(scenario, rng)
    weights = bootstrap.resample(scenario.documents, RESAMPLES, rng)
    ref, entry, k = simulator.reference, simulator.entries[0], scenario.draws
    z = stats.norm.isf(ALPHA)
    false = dict.fromkeys(METHODS, 0)
    for _ in range(sweeps):
        counts, right = simulator.draw()
        ev = Evidence.measure(counts, simulator.entries, weights, right)
        rows, base = list(entry.rows), ev.replicates[:, ref.rows[0]]
        diff = ev.mean(entry) - ev.mean(ref)
        total = ev.variance(ev.mean_replicates(entry) - base)
        spread = ev.spreads[("finetuned", entry.model, entry.train_size)]
        picks = ev.replicates[np.arange(RESAMPLES)[:, None], rng.choice(rows, (RESAMPLES, k))]
        less = ev.replicates[np.arange(RESAMPLES)[:, None], rng.choice(rows, (RESAMPLES, k - 1))]
        pooled, df = ev.pooled[("finetuned", entry.model, entry.train_size)]
        common = max(total - spread.documents / k, 0.0)
        lower = {
            "documents only": np.quantile(ev.mean_replicates(entry) - base, ALPHA),
            "two-level percentile": np.quantile(picks.mean(axis=1) - base, ALPHA),
            "k−1 draws percentile": np.quantile(less.mean(axis=1) - base, ALPHA),
            "own draws, subtracted": diff
            - _satterthwaite(total, max(spread.total - spread.documents, 0.0) / k, k - 1.0, z),
            "own draws, Howe": diff
            - variance.half_width(
                np.array([common, spread.total / k]), np.array([1e9, k - 1.0]), ALPHA
            ),
            "pooled, Satterthwaite": diff - _satterthwaite(common, pooled / k, df, z),
            "pooled, Howe (medsweep)": Judge(ev, ref, MARGIN, ALPHA).compare(entry).lower,
            "t on k draws": diff - stats.t.isf(ALPHA, k - 1) * np.sqrt(total + spread.total / k),
        }
        for name, bound in lower.items():
            false[name] += bool(bound > -MARGIN)
    return {name: n / sweeps for name, n in false.items()}


METHODS = (
    "documents only",
    "two-level percentile",
    "k−1 draws percentile",
    "own draws, subtracted",
    "own draws, Howe",
    "pooled, Satterthwaite",
    "pooled, Howe (medsweep)",
    "t on k draws",
)


def _satterthwaite(common: float, between: float, df: float, z: float) -> float:
    total = common + between
    freedom = total**2 / max(between**2 / df, 1e-300)
    return float(stats.t.isf(ALPHA, freedom) * np.sqrt(total)) if between > 0 else z * total**0.5


def interval_coverage(scenario: Scenario, sweeps: int, seed: int) -> dict[str, float]:
    """Coverage of the true score of one system by three 95 % intervals over documents."""
    rng = np.random.default_rng([seed, 9])
    simulator = Simulator(replace(scenario, draws=1, sd=0.0, models=1, sizes=(50,)), rng)
    weights = bootstrap.resample(scenario.documents // scenario.group, RESAMPLES, rng)
    truth, entry = scenario.reference - scenario.loss, simulator.entries[0]
    inside = dict.fromkeys(("percentile", "BCa", "Wilson, bootstrap variance (medsweep)"), 0)
    for _ in range(sweeps):
        counts, _right = simulator.draw()
        one = Counts(counts.metric, counts.hit[:1], counts.pred[:1], counts.gold, counts.units)
        score = float(one.scores()[0])
        reps = one.scores(weights)[:, 0]
        jack = bootstrap.jackknife(one)[:, 0]
        ev = Evidence.measure(counts, simulator.entries, weights)
        wilson = Judge(ev, simulator.reference, MARGIN, ALPHA).score_interval(entry)
        plain = bootstrap.interval(score, reps)
        bca = bootstrap.interval(score, reps, method="bca", jackknife=jack)
        for name, (low, high) in zip(
            inside, ((plain.low, plain.high), (bca.low, bca.high), wilson), strict=True
        ):
            inside[name] += low <= truth <= high
    return {name: n / sweeps for name, n in inside.items()}


def edge_scenarios() -> list[Scenario]:
    """Sweeps in which every cell lies exactly one margin below the reference."""
    base = [
        Scenario(metric, reference=reference, **changes)  # type: ignore[arg-type]
        for metric, reference in (("accuracy", 0.85), ("macro_f1", 0.75), ("span_f1", 0.80))
        for changes in (
            {"draws": 1, "sd": 0.0},
            {"sd": 0.0},
            {"sd": 0.03},
            {"sd": 0.09},
            {"draws": 5, "sd": 0.03},
        )
    ]
    macro = Scenario("macro_f1", reference=0.75)
    accuracy = Scenario("accuracy")
    return [
        *base,
        replace(macro, documents=104, draws=1, sd=0.0),
        replace(macro, documents=104, sd=0.0),
        replace(macro, documents=104, sd=0.09),
        replace(accuracy, documents=104, draws=1, sd=0.0),
        replace(accuracy, documents=104, sd=0.03),
        replace(accuracy, models=1, sizes=(100,), sd=0.07),
        replace(accuracy, models=1, sizes=(100,), sd=0.03),
        replace(accuracy, models=2, sizes=(100,), sd=0.07),
        replace(accuracy, models=12, sizes=(25, 50, 100, 200, 400), sd=0.09),
        replace(accuracy, models=3, sizes=(25, 50, 100, 200, 400), sd=0.09, slope=0.0),
        replace(accuracy, models=3, sizes=(25, 50, 100, 200, 400), sd=0.09, slope=-1.0),
        replace(accuracy, models=3, sizes=(50, 200), sd=0.05, uneven=4.0),
        replace(accuracy, group=5, sd=0.03),
        replace(macro, group=5, sd=0.03),
        replace(accuracy, reference_draws=3, sd=0.05),
    ]


def describe(s: Scenario) -> str:
    cells = f"{s.models} × {len(s.sizes)}"
    notes = [
        f"groups of {s.group}" if s.group > 1 else "",
        f"slope {s.slope:g}" if s.slope != -0.5 else "",
        f"SDs differ {s.uneven:g}-fold" if s.uneven != 1 else "",
        f"reference {s.reference_draws} draws" if s.reference_draws > 1 else "",
    ]
    return (
        f"| {s.metric} | {s.documents} | {s.draws} | {s.sd:g} | {cells} |"
        f" {', '.join(n for n in notes if n) or '–'} |"
    )


def table_edge(sweeps: int, only: str) -> None:
    print("\n### False matches at the edge (true difference −0.05, alpha 0.05)\n")
    print(
        "| metric | test n | draws | SD | models × sizes | also | a cell | family |"
        " first adapter | score in 95 % CI | difference in 95 % CI |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for i, scenario in enumerate(edge_scenarios()):
        if only and only not in describe(scenario):
            continue
        r = simulate(scenario, sweeps, i)
        adapter = f"{r.adapter:.3f}" if scenario.sd == 0 else "–"
        print(
            f"{describe(scenario)} {r.per_cell:.3f} | {r.family:.3f} | {adapter} |"
            f" {r.coverage:.3f} | {r.difference:.3f} |",
            flush=True,
        )


def table_methods(sweeps: int) -> None:
    print("\n### False matches of one cell by method (8 cells, 3 draws)\n")
    print("| metric, test n, draws, SD | " + " | ".join(METHODS) + " |")
    print("|---" * (len(METHODS) + 1) + "|")
    for i, (metric, reference, n, k, sd) in enumerate(
        (
            ("accuracy", 0.85, 500, 3, 0.0),
            ("accuracy", 0.85, 500, 3, 0.036),
            ("accuracy", 0.85, 500, 3, 0.071),
            ("accuracy", 0.85, 500, 5, 0.036),
            ("macro_f1", 0.75, 500, 3, 0.09),
            ("macro_f1", 0.75, 104, 3, 0.09),
        )
    ):
        scenario = Scenario(metric, n, k, sd, models=8, sizes=(100,), reference=reference)
        found = methods(scenario, sweeps, i)
        cells = " | ".join(f"{found[m]:.3f}" for m in METHODS)
        print(f"| {metric}, {n}, {k}, {sd:g} | {cells} |", flush=True)


def table_intervals(sweeps: int) -> None:
    print("\n### Coverage of 95 % intervals of one system's score, documents only\n")
    print("| metric | test n | true score | percentile | BCa | Wilson, bootstrap variance |")
    print("|---|---|---|---|---|---|")
    for i, (metric, score, n, group) in enumerate(
        (
            ("accuracy", 0.80, 500, 1),
            ("accuracy", 0.95, 104, 1),
            ("macro_f1", 0.70, 500, 1),
            ("macro_f1", 0.90, 500, 1),
            ("macro_f1", 0.70, 104, 1),
            ("span_f1", 0.75, 500, 1),
            ("span_f1", 0.75, 104, 1),
            ("accuracy", 0.80, 500, 5),
        )
    ):
        scenario = Scenario(metric, n, reference=score, loss=0.0, group=group)
        found = interval_coverage(scenario, sweeps, i)
        cells = " | ".join(f"{v:.3f}" for v in found.values())
        also = f" in groups of {group}" if group > 1 else ""
        print(f"| {metric} | {n}{also} | {score:g} | {cells} |", flush=True)


def table_power(sweeps: int) -> None:
    print("\n### Power of the adapter claim against what `plan` promises (no true difference)\n")
    print("| discordance | test n | promised | accuracy: Tango | accuracy: bootstrap |")
    print("|---|---|---|---|---|")
    rng = np.random.default_rng(11)
    for discordance in (0.05, 0.1, 0.2):
        required = power.required_documents(discordance, MARGIN)
        for n in (required, 2 * required):
            entries = [
                Entry("finetuned", "m", 50, (0,), (0,)),
                Entry("zero_shot", "r", None, (0,), (1,)),
            ]
            weights = bootstrap.resample(n, RESAMPLES, rng)
            one = np.ones((n, 1), dtype=np.float32)
            tango = plain = 0
            for _ in range(sweeps):
                which = rng.random(n)
                ours, theirs = (
                    which > discordance / 2,
                    (which < discordance / 2) | (which > discordance),
                )
                right = np.stack([ours, theirs])
                hit = right.astype(np.float32)[:, :, None]
                counts = Counts("accuracy", hit, np.broadcast_to(one, hit.shape), one, n)
                ev = Evidence.measure(counts, entries, weights, right)
                judge = Judge(ev, entries[1], MARGIN, ALPHA)
                tango += judge.adapter_claim(entries[0]).p_value <= ALPHA
                plain += judge.compare(entries[0]).p_value <= ALPHA
            promised = power.power_at(n, discordance, MARGIN)
            print(
                f"| {discordance:g} | {n} | {promised:.3f} | {tango / sweeps:.3f} |"
                f" {plain / sweeps:.3f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sweeps", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="200 sweeps a row")
    parser.add_argument("--table", choices=["edge", "methods", "intervals", "power"])
    parser.add_argument("--only", default="", help="rows of the first table that hold this text")
    options = parser.parse_args()
    sweeps = 200 if options.quick else options.sweeps
    start = time.perf_counter()
    if options.table in (None, "edge"):
        table_edge(sweeps, options.only)
    if options.table in (None, "methods"):
        table_methods(sweeps)
    if options.table in (None, "intervals"):
        table_intervals(sweeps)
    if options.table in (None, "power"):
        table_power(sweeps)
    print(f"\n{sweeps} sweeps a row, {RESAMPLES} resamples, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
