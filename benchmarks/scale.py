"""What a trial costs beside its training, by the number of trials and by slots a host.

    python benchmarks/scale.py
    python benchmarks/scale.py --trials 10 100 1000

Each row is a whole ``medsweep run`` of a process of its own: a tiny random BERT, a handful of tiny
documents, two evaluations a trial, no early stopping. So nearly all that is measured is the control
plane: proposals, Tune, journal, MLflow, states on disk. It must stay flat: "first" and "last" are
the seconds a trial in the first and last quarter of the same search. "all" leaves out start and
end: it counts from the first trial that ends to the last. "busy" is what the hosts computed.
Slots are those of one host with one thread; the first table has hosts as a sweep lays them out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # scheduling is measured, not arithmetic

import yaml
from watch import MIB, Watched, watch

from medsweep.corpus import Document
from medsweep.corpus.write import write_jsonl
from medsweep.record.journal import read_events
from medsweep.record.records import Records

WORDS = [f"{a}{b}" for a in "bcdfgh" for b in "aeiou"]
LABELS = ("a", "b")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one search.

    Attributes:
        run: of the whole command.
        ends: when its search trials ended, in order.
        busy: seconds that hosts computed for them.
        journal: bytes.
    """

    run: Watched
    ends: Sequence[float]
    busy: float
    journal: int

    def a_trial(self, start: float = 0.0, stop: float = 1.0) -> float:
        """Seconds a trial between two shares of the search."""
        first, last = (round(share * (len(self.ends) - 1)) for share in (start, stop))
        return (self.ends[last] - self.ends[first]) / max(1, last - first)


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder / "bert")
        write_jsonl(documents(12 + options.cells), folder / "documents.jsonl")
        head("trials")
        for trials in options.trials:
            row(trials, measure(folder, f"trials-{trials}", trials, None, options))
        if options.slots:
            head("slots")
        for slots in options.slots:
            row(slots, measure(folder, f"slots-{slots}", options.slot_trials, slots, options))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, nargs="*", default=[10, 30, 100])
    parser.add_argument("--cells", type=int, default=1, help="that the trials are divided among")
    parser.add_argument("--slots", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--slot-trials", type=int, default=30, help="trials of each row of slots")
    parser.add_argument("--engine", choices=["shared", "solo"], default="shared")
    parser.add_argument("--no-tracking", action="store_true", help="without MLflow")
    return parser.parse_args()


# -- the smallest sweep there is ----------------------------------------------------------------


def make_model(folder: Path) -> None:
    """A BERT with random weights and a tokenizer of a word a token."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=16).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
    )
    BertModel(config).save_pretrained(folder)


def documents(count: int) -> list[Document]:
    """Documents of which none is another's duplicate."""
    return [
        Document(
            str(i),
            f"{WORDS[i % len(WORDS)]} {WORDS[i // len(WORDS)]} {WORDS[7 * i % len(WORDS)]}",
            LABELS[i % len(LABELS)],
        )
        for i in range(count)
    ]


def make_sweep(
    folder: Path, name: str, trials: int, slots: int | None, options: argparse.Namespace
) -> dict[str, Any]:
    return {
        "name": name,
        "task": {"kind": "classification"},
        "data": {
            "train": {"path": str(folder / "documents.jsonl"), "format": "jsonl"},
            "dev": 4,
            "test": 4,
        },
        "models": [str(folder / "bert")],
        "reference": {"arm": "majority"},
        "arms": [],
        "train_sizes": list(range(4, 4 + options.cells)),
        "draws": 1,
        "search": {"trials": max(1, trials // options.cells), "epochs": 1, "top_layers": "all"},
        "training": {"min_steps": 2, "evaluations": 2},
        "early_stopping": None,
        "decide": {"margin": 0.05},
        "engine": options.engine,
        "tracking": {
            "enabled": not options.no_tracking,
            "uri": f"sqlite:///{folder / name}.db",
        },
        "resources": {} if slots is None else {"hosts": 1, "threads": 1, "slots": slots},
    }


def measure(
    folder: Path, name: str, trials: int, slots: int | None, options: argparse.Namespace
) -> Cost:
    """Run one sweep and read from its journal what its trials took."""
    sweep, out = folder / f"{name}.yaml", folder / name
    sweep.write_text(yaml.safe_dump(make_sweep(folder, name, trials, slots, options)))
    command = [sys.executable, "-m", "medsweep", "run", str(sweep), "--out", str(out)]
    unset = ("MLFLOW_TRACKING_URI", "RAY_ADDRESS")
    environment = {k: v for k, v in os.environ.items() if k not in unset}
    run = watch(command, folder / f"{name}.log", environment)
    journal = out / "state" / "journal.jsonl"
    records = Records.replay(read_events(journal)).by_name.values()
    searched = [r for r in records if r.trial.phase == "search"]
    if failed := [r.error for r in searched if r.status != "finished"]:
        raise SystemExit(f"{len(failed)} of {len(searched)} trials failed: {failed[0]}")
    return Cost(
        run,
        sorted(r.ended for r in searched if r.ended is not None),
        sum(r.evaluations[-1]["seconds"] for r in searched),
        journal.stat().st_size,
    )


# -- what is said -------------------------------------------------------------------------------


def head(first: str) -> None:
    print(f"\n{'':6} {'':7} {'seconds a trial':^31} {'journal':>8} {'peak MiB':>15}")
    print(f"{first:>6} {'wall s':>7} {'all':>7} {'first':>7} {'last':>7} {'busy':>7} "
          f"{'KiB':>8} {'driver':>7} {'all':>7}")  # fmt: skip


def row(number: int, cost: Cost) -> None:
    times = [cost.a_trial(*part) for part in ((0, 1), (0, 0.25), (0.75, 1))]
    times.append(cost.busy / len(cost.ends))
    peaks = (cost.run.driver_peak / MIB, cost.run.peak / MIB)
    print(
        f"{number:6} {cost.run.seconds:7.1f}",
        *(f"{seconds:7.3f}" for seconds in times),
        f"{cost.journal / 1024:8.0f}",
        *(f"{size:7,.0f}" for size in peaks),
        flush=True,
    )


if __name__ == "__main__":
    main()
