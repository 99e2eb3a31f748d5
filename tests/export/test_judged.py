"""The test documents are read as the sweep read them."""

from pathlib import Path

import pandas as pd

from medsweep.config import Sweep
from medsweep.export.judged import judged_documents
from medsweep.tasks import make_task


def test_a_part_in_another_encoding_is_read_with_both(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    rows = "id,text,label,split\n1,Größe,a,train\n2,Höhe,b,test\n"
    path.write_bytes(rows.encode("cp1252"))
    source = {"path": str(path), "encoding": "cp1252"}
    sweep = Sweep.model_validate(
        {
            "name": "s",
            "task": {"kind": "classification", "metric": "macro_f1"},
            "data": {"train": {**source, "part": "train"}, "test": {**source, "part": "test"}},
            "models": ["m"],
            "reference": {"arm": "tfidf"},
            "train_sizes": [1],
            "decide": {"margin": 0.05},
        }
    )
    task = make_task("classification", ("a", "b"), "macro_f1")
    table = pd.DataFrame({"doc_id": ["2"], "gold": ["b"]})
    assert [d.text for d in judged_documents(sweep, task, table, 0)] == ["Höhe"]
