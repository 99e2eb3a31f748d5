"""What a sweep costs on this machine: operations, seconds and memory, and where they go.

    python benchmarks/quickstart.py                     # sweeps/quickstart.yaml on a fresh sample
    python benchmarks/quickstart.py --seeds 0 1 2 3 4   # the same on five corpora: their verdicts
    python benchmarks/quickstart.py --set engine=solo   # as `medsweep run` takes it

Operations are counted, not measured: 2 a token and weight of the layers to read, 4 to train (frozen
weights need no gradients). Memory is PSS (a shared page counts by its share), sampled once a
second over the command and all that it started. A machine with AVX2 only is made of a newer one by
ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2; its products may be
faster than an older machine's, whose rate is in the first line.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from watch import MIB, Watched, watch

from medsweep.config import load_sweep
from medsweep.corpus import read_documents
from medsweep.corpus.samples import write_sample
from medsweep.models import resolve
from medsweep.models.lengths import token_counts
from medsweep.models.precision import native_bf16
from medsweep.models.size import shape_of

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = "smoking-short"


def main() -> None:
    """Run the sweep in a folder of its own and print what it cost, or the verdicts of many."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", nargs="?", type=Path, default=ROOT / "sweeps/quickstart.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the corpora")
    parser.add_argument("--keep", type=Path, help="leave the sweeps' folders here")
    chosen = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as scratch:
        verdicts = []
        for seed in chosen.seeds:
            home = (chosen.keep or Path(scratch)) / f"seed-{seed}"
            cost = run(chosen.sweep.resolve(), home, seed, chosen.set)
            if len(chosen.seeds) == 1:
                print_memory(cost)
                print_parts(chosen.sweep.resolve(), home)
            verdicts.append(json.loads((home / "sweep/verdict.json").read_text()))
            print_verdict(seed, cost, verdicts[-1], first=seed == chosen.seeds[0])


def run(sweep: Path, home: Path, seed: int, settings: Sequence[str]) -> Watched:
    """The sweep as a user would run it, on the corpus of ``seed``."""
    home.mkdir(parents=True, exist_ok=True)
    write_sample(SAMPLE, home / f"runs/sample-{SAMPLE}", seed=seed)
    command = [
        *(sys.executable, "-m", "medsweep", "run", str(sweep), "--out", "sweep"),
        *(part for value in settings for part in ("--set", value)),
    ]
    known = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(known)}
    return watch(command, home / "log", environment, folder=home)


def print_machine() -> None:
    """Cores, arithmetic, and the rate of a product as it occurs in MiniLM, on one of them."""
    torch.set_num_threads(1)
    device = torch.device("cpu")
    kind = torch.bfloat16 if native_bf16(device) else torch.float32
    left, right = torch.ones(480, 384, dtype=kind), torch.ones(1536, 384, dtype=kind)
    best = float("inf")
    for _ in range(50):
        began = time.thread_time()
        torch.nn.functional.linear(left, right)
        best = min(best, time.thread_time() - began)
    rate = 2 * left.numel() * len(right) / best / 1e9
    cores = len(os.sched_getaffinity(0))
    print(
        f"{cores} cores, {torch.backends.cpu.get_cpu_capability()}, "
        f"{str(kind).removeprefix('torch.')}: {rate:.0f} GFLOP/s a core\n"
    )


def print_memory(cost: Watched) -> None:
    """Peak of all processes together, and what each kind had at that moment."""
    cpu = sum(cost.cpu.values())
    print(
        f"{cost.seconds:.0f} s, {cpu:.0f} s of processors; peak of all processes "
        f"{cost.peak / MIB:,.0f} MiB\n"
    )
    print("| processes | number | MiB at the peak | MiB at their own peak | processor s |")
    print("| --- | --- | --- | --- | --- |")
    for kind in sorted(cost.kinds, key=lambda k: -cost.kinds[k]):
        number, then = cost.at_peak.get(kind, (0, 0))
        cpu = sum(seconds for (k, _), seconds in cost.cpu.items() if k == kind)
        print(
            f"| {kind} | {number} | {then / MIB:,.0f} | {cost.kinds[kind] / MIB:,.0f} | {cpu:.0f} |"
        )
    print()


@dataclass(slots=True)
class Part:
    """What one part of a sweep took: operations, and seconds of the hosts that computed."""

    operations: float = 0.0
    seconds: float = 0.0


def print_parts(sweep: Path, home: Path) -> None:
    """Operations and computing seconds by part, and when each trial began and ended."""
    events = read_journal(home / "sweep/state/journal.jsonl")
    counted = parts(sweep, home, events)
    print("| part | 10^12 operations | computing s |\n| --- | --- | --- |")
    for name, part in counted.items():
        seconds = f"{part.seconds:.0f}" if part.seconds else ""
        print(f"| {name} | {part.operations / 1e12:.2f} | {seconds} |")
    total = sum(p.operations for p in counted.values())
    print(f"| all | {total / 1e12:.2f} | {sum(p.seconds for p in counted.values()):.0f} |\n")
    began = events[0]["time"]
    print("| trial | begins s | ends s | training and dev s |\n| --- | --- | --- | --- |")
    for name, own in by_trial(events).items():
        first, last = own[0]["time"] - began, own[-1]["time"] - began
        print(f"| {name} | {first:.0f} | {last:.0f} | {last_point(own).get('seconds', 0):.1f} |")
    print()


def parts(path: Path, home: Path, events: Sequence[dict[str, Any]]) -> dict[str, Part]:
    """What was computed, by part; adopted trials are counted once."""
    sweep = load_sweep(path)
    texts = {
        split: [
            d.text
            for d in read_documents(
                home / f"runs/sample-{SAMPLE}/{split}.xml", kind="classification"
            )
        ]
        for split in ("train", "test")
    }
    names = ("frozen layers", "training", "dev", "test", "probe")
    found = {name: Part() for name in names}
    for model in [m.id for m in sweep.models] + [sweep.reference.model.id]:  # type: ignore[union-attr]
        folder = resolve(model)
        shape = shape_of(folder)
        tokens = {split: sum(token_counts(t, folder)[1]) for split, t in texts.items()}
        dev = tokens["train"] * sweep.data.dev / len(texts["train"])
        seen = set[str]()
        for name, own in by_trial(events).items():
            item = own[0].get("item", {})
            if item.get("phase") == "arm" or item.get("cell", {}).get("model") != folder.name:
                continue
            layers = min(item["recipe"]["top_layers"] or shape.layers, shape.layers)
            adapted = shape.weights * layers / shape.layers
            if not seen:
                every = tokens["train"] + tokens["test"]
                found["frozen layers"].operations += 2 * (shape.weights - adapted) * every
            seen.add(name)
            point = last_point(own)
            if item["adopt"] is None:
                found["training"].operations += 4 * adapted * point.get("tokens", 0)
                found["dev"].operations += 2 * adapted * dev * point.get("iteration", 0)
                found["training"].seconds += point.get("seconds", 0)
            took = home / f"sweep/state/trials/{name}/inference.json"
            if item["phase"] == "confirm" and took.exists():
                each = json.loads(took.read_text())["seconds_per_document"]
                found["test"].operations += 2 * adapted * tokens["test"]
                found["test"].seconds += each * len(texts["test"])
        if any(m.id == model for m in sweep.models):
            found["probe"].operations += 2 * shape.weights * (tokens["train"] + tokens["test"])
    return found


def by_trial(events: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Each trial's events in their order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        name = event.get("trial") or (event.get("item") or {}).get("name")
        if name is not None:
            found.setdefault(name, []).append(event)
    return found


def last_point(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The last point of a trial's learning curve; empty where it has none."""
    points = [e["values"] for e in events if "values" in e]
    return points[-1] if points else {}


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Events in their order."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def print_verdict(seed: int, cost: Watched, verdict: dict[str, Any], *, first: bool) -> None:
    """One row: the scores of all, and which sizes match, with their adjusted p."""
    cells = sorted(verdict["cells"], key=lambda c: c["train_size"])
    arms = sorted((a for a in verdict["arms"] if a["arm"] != "finetuned"), key=_size)
    others = {a["arm"]: a["score"] for a in arms}
    if first:
        columns = ["corpus", "reference", *others, *(f"tuned, {c['train_size']}" for c in cells)]
        columns += ["smallest", "s", "processor s", "MiB"]
        print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    row = [str(seed), f"{verdict['reference']['score']:.3f}"]
    row += [f"{score:.3f}" for score in others.values()]
    row += [f"{c['score']:.3f} (p {c['p_adjusted']:.3f})" for c in cells]
    smallest = verdict["smallest"] or {}
    row += [str(smallest.get("train_size", "none")), f"{cost.seconds:.0f}"]
    row += [f"{sum(cost.cpu.values()):.0f}", f"{cost.peak / MIB:,.0f}"]
    print(f"| {' | '.join(row)} |", flush=True)


def _size(arm: dict[str, Any]) -> int:
    return arm.get("train_size") or 0


if __name__ == "__main__":
    main()
