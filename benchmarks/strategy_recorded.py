"""What ``strategy: frontier`` would have made of grids that were run.

    python benchmarks/strategy_recorded.py runs/quickstart [DIR ...]

The frontier gets the trials that the grid had: of each cell the first few of its search, because
carried recipes were not tried. Its cost is tokens trained on x parameters.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from medsweep.plan.build import trials_at
from medsweep.record.trial import CellKey
from medsweep.search.frontier import FrontierDesign, Interim, chains_of, interim_analysis
from medsweep.stats.decide import decide


class Recorded:
    """The result folder of a sweep with ``strategy: grid`` and a tuned reference, by hold-out."""

    def __init__(self, folder: Path) -> None:
        self.verdict = json.loads((folder / "verdict.json").read_text())
        self.predictions = pd.read_parquet(folder / "predictions.parquet")
        trials = pd.read_parquet(folder / "trials.parquet")
        by_id = trials.set_index("trial_id")
        # A confirmation that adopts a search trial has no score and no cost of its own.
        adopted = trials["adopted"].notna()
        trials.loc[adopted, "score"] = by_id.loc[trials.loc[adopted, "adopted"], "score"].to_numpy()
        self.parameters = {
            k: v["parameters"] for k, v in self.verdict["provenance"]["models"].items()
        }
        trials["cost"] = trials["tokens"].fillna(0) * trials["model"].map(self.parameters)
        self._trials = trials
        reference = self.verdict["reference"]
        self.reference = reference["model"], reference["train_size"]
        self.keys = sorted({(c["model"], c["train_size"]) for c in self.verdict["cells"]})

    def of(self, key: CellKey, phase: str, first: int | None = None) -> pd.DataFrame:
        """The trials of a cell in a phase, the first few by number."""
        t = self._trials
        found = t[(t["model"] == key[0]) & (t["train_size"] == key[1]) & (t["phase"] == phase)]
        return found.sort_values(["number", "draw"]).head(first or len(found))

    def frontier(self) -> tuple[list[CellKey], float]:
        """What it confirms, and its share of the grid's cost."""
        chains = chains_of(self.keys, self.parameters)
        provenance, sizes = self.verdict["provenance"], dict(chains)
        draws = max(c["draws"] for c in self.verdict["cells"])
        design = FrontierDesign(
            chains,
            self.verdict["margin"],
            self.verdict["alpha"],
            draws,
            str(self.reference[0]),
            self.verdict["reference"]["draws"],
            provenance["dev_documents"],
            provenance["test_documents"],
        )
        reference = self.of(self.reference, "confirm")["score"].mean()
        interims: dict[CellKey, Interim] = {}
        cost = sum(float(self.of(self.reference, p)["cost"].sum()) for p in ("search", "confirm"))
        while (key := interim_analysis(design, float(reference), interims).cell) is not None:
            if key in interims:
                found = self.of(key, "confirm")
                scores = tuple(map(float, found["score"]))
                interims[key] = Interim("confirmed", float(np.mean(scores[1:] or scores)), scores)
            else:
                every = len(self.of(key, "search"))
                found = self.of(key, "search", trials_at(every, sizes[key[0]].index(key[1])))
                done = found[found["status"] == "finished"]["score"]
                interims[key] = (
                    Interim("tried", float(done.max())) if len(done) else Interim("failed")
                )
            cost += float(found["cost"].sum())
        confirmed = [r for r, interim in interims.items() if interim.stage == "confirmed"]
        return confirmed, cost / float(self._trials["cost"].sum())

    def answers(self, confirmed: Collection[CellKey]) -> list[str]:
        """Smallest model and fewest labels by the predictions of these cells."""
        table = self.predictions
        pairs = zip(table["model"], table["train_size"], strict=True)
        known = np.array([p in {*confirmed, self.reference} for p in pairs])
        kept = (table["arm"] != "finetuned") | known
        models = {m for m, _ in self.keys}
        found = decide(
            table[kept],
            task=self.verdict["task"],
            metric=self.verdict["metric"],
            reference={k: self.verdict["reference"][k] for k in ("arm", "model")},
            margin=self.verdict["margin"],
            alpha=self.verdict["alpha"],
            params=self.parameters,
            absent=len(models - {m for m, _ in confirmed}),
        )
        cells = found.smallest, found.fewest_labels
        return [f"{c.model} n={c.train_size}" if c else "none" for c in cells]


def show_recorded(folders: Sequence[Path]) -> None:
    """One row a folder."""
    print("| grid | cells | confirmed | smallest | fewest labels | by the frontier | cost |")
    print("| --- " * 7 + "|")
    for recorded in map(Recorded, folders):
        confirmed, cost = recorded.frontier()
        wanted, found = recorded.answers(recorded.keys), recorded.answers(confirmed)
        said = "the same" if found == wanted else ", ".join(found)
        name, cells = recorded.verdict["name"], len(recorded.keys)
        row = [name, cells, len(confirmed), *wanted, said, f"{cost:.2f}"]
        print("|", " | ".join(map(str, row)), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    show_recorded(parser.parse_args().folders)


if __name__ == "__main__":
    main()
