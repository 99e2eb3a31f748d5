"""Is the verdict's error what it says? Simulated sweeps whose truth is known.

    nice python benchmarks/calibration.py --sweeps 2000          # the tables of docs/statistics.md
    nice python benchmarks/calibration.py --quick                # the same rows, 200 sweeps
    nice python benchmarks/calibration.py --rows rare --rows groups --sweeps 500
    nice python benchmarks/calibration.py --results rows.jsonl   # goes on where it was stopped

Every sweep draws new test documents, a fixed reference and cells whose *population*
score is known (``worlds.py``); ``scenarios.py`` has the rows. The decision is medsweep's own code
from the counts on (``Evidence``, ``Judge``, ``adjust``, ``collapse``). Prints markdown tables; the
Monte-Carlo error of a rate p is sqrt(p (1 - p) / sweeps).
"""

from __future__ import annotations

import argparse
import json
import os
import time
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np
from numpy.typing import NDArray
from scenarios import edge_scenarios, promise_scenarios
from scipy import stats
from worlds import SPANS, Scenario, Simulator

from medsweep.stats import bootstrap, power, variance
from medsweep.stats.claims import collapse
from medsweep.stats.frame import Entry
from medsweep.stats.judge import Evidence, Judge
from medsweep.stats.metrics import Counts
from medsweep.stats.planned import Study, simulate_power
from medsweep.stats.systems import adjust

Array = NDArray[np.float64]

MARGIN, ALPHA = 0.05, 0.05
RESAMPLES = 1_000


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
    s = scenario
    rng = np.random.default_rng([seed, zlib.crc32(s.name.encode())])
    simulator = Simulator(s, rng)
    groups = simulator.groups
    units = s.documents if groups is None else int(groups.max()) + 1
    weights = [bootstrap.resample(units, RESAMPLES, rng)]
    candidates = simulator.entries[:-1]
    truth = s.reference - s.loss
    cells = family = covered = adapter = two_sided = 0
    for _ in range(sweeps):
        counts, right = simulator.draw()
        evidence = Evidence.measure(
            counts, simulator.entries, weights, right, s.pool or None, grouped=groups is not None
        )
        judge = Judge(evidence, simulator.reference, s.margin, s.alpha)
        bounds = [judge.labels_claim(e) or judge.adapter_claim(e) for e in candidates]
        p_values = [
            1.0 if collapse(judge, e, simulator.majority) else b.p_value
            for e, b in zip(candidates, bounds, strict=True)
        ]
        adjusted = adjust(candidates, p_values, pool=s.pool or None)
        matched = [p is not None and p <= s.alpha for p in adjusted]
        cells += sum(p <= s.alpha for p in p_values)
        family += any(matched)
        wide = replace(judge, alpha=s.alpha / 2)
        for e, b in zip(candidates[:8], bounds, strict=False):
            low, high = judge.score_interval(e)
            covered += low <= truth <= high
            width = b.diff - wide.compare(e).lower
            two_sided += abs(b.diff + s.loss) <= width
        adapter += judge.adapter_claim(candidates[0]).p_value <= s.alpha
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
    weights = [bootstrap.resample(scenario.documents, RESAMPLES, rng)]
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
    groups = simulator.groups
    units = scenario.documents if groups is None else int(groups.max()) + 1
    weights = [bootstrap.resample(units, RESAMPLES, rng)]
    truth, entry = scenario.reference - scenario.loss, simulator.entries[0]
    inside = dict.fromkeys(("percentile", "BCa", "Wilson, bootstrap variance (medsweep)"), 0)
    for _ in range(sweeps):
        counts, _right = simulator.draw()
        one = Counts(counts.metric, counts.hit[:1], counts.pred[:1], counts.gold, counts.units)
        score = float(one.scores()[0])
        reps = one.scores(weights[0])[:, 0]
        jack = bootstrap.jackknife(one)[:, 0]
        ev = Evidence.measure(counts, simulator.entries, weights, grouped=groups is not None)
        wilson = Judge(ev, simulator.reference, MARGIN, ALPHA).score_interval(entry)
        plain = bootstrap.bootstrap_interval(score, reps)
        bca = bootstrap.bootstrap_interval(score, reps, method="bca", jackknife=jack)
        for name, (low, high) in zip(
            inside, ((plain.low, plain.high), (bca.low, bca.high), wilson), strict=True
        ):
            inside[name] += low <= truth <= high
    return {name: n / sweeps for name, n in inside.items()}


def table_edge(sweeps: int, only: list[str], seed: int, results: Path | None) -> None:
    print("\n### False matches at the edge (true difference: minus the margin)\n")
    print(
        "| row | a cell | family | first adapter | score in CI | difference in CI |"
        " power of a cell | power, any |"
    )
    print("|---|---|---|---|---|---|---|---|")
    known = _known(results)
    for scenario in edge_scenarios():
        if only and not any(text in scenario.name for text in only):
            continue
        key = f"{scenario.name}, {sweeps} sweeps, seed {seed}"
        if key not in known:
            edge = simulate(scenario, sweeps, seed)
            equal = simulate(replace(scenario, loss=0.0), max(100, sweeps // 4), seed)
            known[key] = {"edge": asdict(edge), "equal": asdict(equal)}
            if results is not None:
                with results.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps({"row": key, **known[key]}) + "\n")
        found, equal_rates = known[key]["edge"], known[key]["equal"]
        adapter = f"{found['adapter']:.3f}" if scenario.sd == 0 else "–"
        print(
            f"| {scenario.name} | {found['per_cell']:.3f} | {found['family']:.3f} | {adapter} |"
            f" {found['coverage']:.3f} | {found['difference']:.3f} |"
            f" {equal_rates['per_cell']:.2f} | {equal_rates['family']:.2f} |",
            flush=True,
        )


def _known(results: Path | None) -> dict[str, dict[str, dict[str, float]]]:
    """Rows of an earlier run; a last line that was cut off is done again."""
    known = {}
    if results is not None and results.exists():
        for line in results.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            known[row.pop("row")] = row
    return known


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
        scenario = Scenario(
            "methods", metric, n, k, sd, models=8, sizes=(100,), reference=reference
        )
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
        scenario = Scenario("intervals", metric, n, reference=score, loss=0.0, group=group)
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
            weights = [bootstrap.resample(n, RESAMPLES, rng)]
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


def promise(scenario: Scenario, sweeps: int, seed: int) -> tuple[float, float]:
    """Power that ``plan`` promises, and what sweeps find in worlds that it knows nothing of.

    Of the world it is told what one would guess beforehand: how much of gold is found, on how many
    documents two systems disagree, and how much draws differ.
    """
    s = replace(scenario, loss=0.0)
    rng = np.random.default_rng([seed, 10])
    simulator = Simulator(s, rng)
    groups = simulator.groups
    recall, discordance = np.mean([simulator.likeness() for _ in range(100)], axis=0)
    gold = _gold(s, rng)
    study = Study(
        "ner" if s.metric == "span_f1" else "classification",
        s.metric,
        gold,
        groups,
        s.sizes,
        s.draws,
        s.models,
        reference_draws=s.reference_draws,
        pool=s.pool or None,
        margin=s.margin,
        alpha=s.alpha,
    )
    draw_sd = float(np.mean([s.sd_of(0, n) for n in s.sizes]))
    promised = simulate_power(
        study,
        recall=float(recall),
        discordance=float(discordance),
        draw_sd=draw_sd,
        studies=sweeps,
    )
    return promised.any_size, _found_power(s, simulator, sweeps)


def _found_power(s: Scenario, simulator: Simulator, sweeps: int) -> float:
    """How often the first model is called a match, with no other one to share alpha with it."""
    groups = simulator.groups
    units = s.documents if groups is None else int(groups.max()) + 1
    weights = [bootstrap.resample(units, RESAMPLES, simulator.rng)]
    own = [e for e in simulator.entries[:-1] if e.model == "m0"]
    found = 0
    for _ in range(sweeps):
        counts, right = simulator.draw()
        evidence = Evidence.measure(
            counts, simulator.entries, weights, right, s.pool or None, grouped=groups is not None
        )
        judge = Judge(evidence, simulator.reference, s.margin, s.alpha)
        p_values = [(judge.labels_claim(e) or judge.adapter_claim(e)).p_value for e in own]
        adjusted = adjust(own, p_values, s.models - 1, s.pool or None)
        found += any(p is not None and p <= s.alpha for p in adjusted)
    return found / sweeps


def _gold(s: Scenario, rng: np.random.Generator) -> list[str]:
    """Gold of a test set, as a plan has it."""
    if s.metric != "span_f1":
        return [f"c{i}" for i in rng.choice(len(s.priors), s.documents, p=np.array(s.priors))]
    shape = 0.3 if s.heavy else 2.0
    there = rng.negative_binomial(shape, shape / (shape + SPANS), s.documents)
    return [json.dumps([[2 * i, 2 * i + 1, "x"] for i in range(n)]) for n in there]


def table_promises(sweeps: int) -> None:
    print("\n### Power that `plan` promises, and that sweeps find (no true difference)\n")
    print("| row | promised | found |")
    print("|---|---|---|")
    for scenario in promise_scenarios():
        promised, found = promise(scenario, sweeps, 0)
        print(f"| {scenario.name} | {promised:.2f} | {found:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sweeps", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="200 sweeps a row")
    parser.add_argument("--table", choices=["edge", "methods", "intervals", "power", "promises"])
    parser.add_argument(
        "--rows", action="append", default=[], metavar="NAME", help="rows of the first table"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, help="file of rows; those in it are not run again")
    options = parser.parse_args()
    sweeps = 200 if options.quick else options.sweeps
    start = time.process_time()
    if options.table in (None, "edge"):
        table_edge(sweeps, options.rows, options.seed, options.results)
    others = not options.rows
    if options.table == "methods" or (options.table is None and others):
        table_methods(sweeps)
    if options.table == "intervals" or (options.table is None and others):
        table_intervals(sweeps)
    if options.table == "power" or (options.table is None and others):
        table_power(sweeps)
    if options.table == "promises" or (options.table is None and others):
        table_promises(max(200, sweeps // 5))
    print(f"\n{sweeps} sweeps a row, {RESAMPLES} resamples, {time.process_time() - start:.0f} s")


if __name__ == "__main__":
    main()
