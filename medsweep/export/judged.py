"""The test documents of a finished sweep: what its predictions are of, read once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medsweep.config import SourceConfig, Sweep
from medsweep.corpus import Document
from medsweep.errors import DataError
from medsweep.plan.division import crossed, read_source
from medsweep.tasks import Task

if TYPE_CHECKING:
    import pandas as pd


def judged_documents(sweep: Sweep, task: Task, table: pd.DataFrame, fold: int) -> list[Document]:
    """The documents that judged in ``fold``, without their gold.

    Only the corpus that holds them is read. Which of its documents judged, and with what gold,
    is what ``table`` says: so neither the other documents nor any model is needed.

    Args:
        sweep: as it was run.
        task: of the sweep.
        table: ``predictions.parquet``; every arm of every fold is in it.
        fold: of a cross-validation, from 0.

    Raises:
        DataError: they cannot be read, or they or their gold have changed since.
    """
    data = sweep.data
    source = data.test if isinstance(data.test, SourceConfig) else data.train
    gold = dict(zip(table["doc_id"].astype(str), table["gold"], strict=True))
    judged = [d for d in read_source(source, sweep, []) if d.id in gold]
    if len(judged) < len(gold) or any(task.gold(d) != gold[d.id] for d in judged):
        raise DataError(
            "documents or labels have changed since the sweep",
            where=source.path,
            fix="put them back as they were; the check needs the sweep's own test documents",
        )
    if data.evaluation.kind == "crossval":
        judged = crossed(sweep, judged)[fold][1]
    return [d.without_gold() for d in judged]
