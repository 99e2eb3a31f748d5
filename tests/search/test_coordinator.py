import shutil
from collections.abc import Callable
from pathlib import Path

from transformers import BertConfig, BertModel

from medsweep.cluster.halving import CellHalving
from medsweep.config import load_sweep
from medsweep.plan.build import make_plan
from medsweep.record.journal import Journal
from medsweep.search.coordinator import Coordinator
from medsweep.tracking import NullTracker


def test_the_longest_come_first_whatever_their_vocabulary(
    sweep_file: Callable[..., Path], tiny_bert: Path, tmp_path: Path
) -> None:
    wordy = tmp_path / "a-wordy-bert"
    shutil.copytree(tiny_bert, wordy)
    config = BertConfig.from_pretrained(tiny_bert, vocab_size=4000, num_hidden_layers=1)
    BertModel(config).save_pretrained(wordy)
    path = sweep_file(models=[str(wordy), str(tiny_bert)], train_sizes=[9], arms=[])
    plan = make_plan(load_sweep(path))
    large, small = (plan.folders[name].parameters for name in ("a-wordy-bert", "tiny-bert"))
    assert large > small
    journal = Journal(tmp_path / "state" / "journal.jsonl")
    work = Coordinator(
        plan,
        journal,
        [],
        CellHalving(plan.sweep.early_stopping, plan.evaluations),
        NullTracker().tell,
        tmp_path / "trials",
        concurrency=4,
    )
    assert work.next_models() == ["tiny-bert", "a-wordy-bert"]
    items = [trial for trial in iter(work.next_trial, None) if trial.phase == "search"]
    assert [trial.cell.model for trial in items][:2] == ["tiny-bert", "a-wordy-bert"]
    journal.close()
