"""Predictions of an adapter for new documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from medsweep import corpus
from medsweep.corpus.readers._fields import dump_entities
from medsweep.export.metadata import read_metadata
from medsweep.export.reload import predict_with_peft
from medsweep.tasks import TaskKind
from medsweep.tasks.prediction import Prediction


def predict_documents(
    adapter: Path,
    documents: Path,
    *,
    format: str | None = None,
    columns: corpus.Columns | None = None,
    layer: str | None = None,
    base: str | None = None,
    begin: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Label the documents of a file or folder; labels that they may have are not looked at.

    Args:
        adapter: an adapter folder of a sweep, or an exported one.
        documents: a corpus in any format that sweeps read.
        format: where the name does not tell it.
        columns: names of columns or keys, where they differ from medsweep's.
        layer: annotation layer; of documents that have several, none need be named.
        base: the base model, where it lies elsewhere than at training.
        begin: is told what is being done, whenever something else begins.

    Returns:
        One mapping a document, in order and without text: ``id, label, scores`` for
        classification, ``id, labels, scores`` for multi-label tasks, ``id, entities`` with
        ``start, end, type`` for NER, and ``attributes`` where a mention has some that the adapter
        was trained for. The answer is null where what the model wrote is none.

    Raises:
        ConfigError, DataError, ModelError: adapter, documents or base cannot be read.
    """
    metadata = read_metadata(adapter)
    begin("reading documents")
    read = corpus.read_documents(
        documents,
        kind=metadata.task.kind,
        format=format,
        columns=columns,
        layer=layer,
        unlabelled=True,
    )
    unlabelled = [d.without_gold() for d in read]
    predictions = predict_with_peft(adapter, metadata, unlabelled, base=base, begin=begin)
    return [_row(p, metadata.task.kind) for p in predictions]


def _row(prediction: Prediction, kind: TaskKind) -> dict[str, Any]:
    scores = {label: round(score, 6) for label, score in prediction.scores.items()}
    if kind == "classification":
        return {"id": prediction.doc_id, "label": prediction.label, "scores": scores}
    if kind == "multilabel":
        labels = None if prediction.labels is None else list(prediction.labels)
        return {"id": prediction.doc_id, "labels": labels, "scores": scores}
    if prediction.spans is None:
        return {"id": prediction.doc_id, "entities": None}
    return {"id": prediction.doc_id, "entities": dump_entities(prediction.spans)}
