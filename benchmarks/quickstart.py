"""What a sweep costs on this machine: wall time, where it goes, and memory by kind of process.

    python benchmarks/quickstart.py                     # sweeps/quickstart.yaml on a fresh sample
    python benchmarks/quickstart.py --set engine=solo   # as `medsweep run` takes it

Memory is PSS (a shared page counts by its share), sampled once a second over the command and all
that it started; the time of a trial is from its first sign in the journal to its last.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from watch import MIB, Watched, watch

from medsweep.corpus.samples import write_sample

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run the sweep in a folder of its own and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", nargs="?", type=Path, default=ROOT / "sweeps/quickstart.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--keep", type=Path, help="leave the sweep's folder here")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = chosen.keep or Path(scratch)
        home.mkdir(parents=True, exist_ok=True)
        write_sample("smoking", home / "runs/sample-smoking")
        settings = [part for value in chosen.set for part in ("--set", value)]
        command = [
            *(sys.executable, "-m", "medsweep", "run", str(chosen.sweep.resolve())),
            *("--out", "sweep", *settings),
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        cost = watch(command, home / "log", environment, folder=home)
        print_memory(cost)
        print_time(read_journal(home / "sweep/state/journal.jsonl"))


def print_memory(cost: Watched) -> None:
    """Peak of all processes together, and what each kind had at that moment."""
    print(f"{cost.seconds:.0f} s; peak of all processes {cost.peak / MIB:,.0f} MiB\n")
    print("| processes | number | MiB at the peak | MiB at their own peak | processor s |")
    print("| --- | --- | --- | --- | --- |")
    for kind in sorted(cost.kinds, key=lambda k: -cost.kinds[k]):
        number, then = cost.at_peak.get(kind, (0, 0))
        cpu = sum(seconds for (k, _), seconds in cost.cpu.items() if k == kind)
        print(
            f"| {kind} | {number} | {then / MIB:,.0f} | {cost.kinds[kind] / MIB:,.0f} | {cpu:.0f} |"
        )
    print()


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Events in their order."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def print_time(events: Iterable[dict[str, Any]]) -> None:
    """When each trial began and ended, and what it computed."""
    began = 0.0
    seen: dict[str, dict[str, float]] = {}
    for event in events:
        began = began or event["time"]
        name = event.get("trial") or (event.get("item") or {}).get("name")
        if name is None:
            continue
        at = event["time"] - began
        trial = seen.setdefault(name, {"first": at, "last": at, "computed": 0.0})
        trial["last"] = at
        trial["computed"] = (event.get("values") or {}).get("seconds", trial["computed"])
    print("| trial | begins s | ends s | training and dev s |")
    print("| --- | --- | --- | --- |")
    for name, t in seen.items():
        print(f"| {name} | {t['first']:.0f} | {t['last']:.0f} | {t['computed']:.1f} |")


if __name__ == "__main__":
    main()
