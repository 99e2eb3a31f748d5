"""Predictions that something else made."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from medsweep.arms._base import ArmOptions
from medsweep.corpus import Document, Span
from medsweep.corpus.values import as_value
from medsweep.errors import ConfigError, DataError
from medsweep.stats.values import decode_labels, label_text, look_alike
from medsweep.tasks import Task, TaskKind
from medsweep.tasks.prediction import Prediction


class PredictionsOptions(ArmOptions):
    """Predictions that were made elsewhere; a second annotator is a reference, too."""

    path: Path
    """CSV, JSONL or parquet, a row a test document."""
    columns: dict[Literal["doc_id", "pred"], str] = Field(default={})
    """What the table calls doc_id and pred."""

    def check(self, kind: TaskKind, labels: Sequence[str] | None, where: str) -> None:  # noqa: ARG002
        """The table must be there, in a form that is read."""
        where = f"{where}.path"
        if self.path.suffix.lower() not in (".csv", ".jsonl", ".parquet"):
            raise ConfigError(
                "neither .csv, .jsonl nor .parquet", where=where, fix="convert the table"
            )
        if not self.path.is_file():
            raise ConfigError(f"no such file: {self.path}", where=where, fix="correct the path")


class Predictions:
    """A table with a row for each test document: its id, and what was predicted.

    ``pred`` is a label, for multi-label tasks JSON ``[label, …]``, for NER JSON ``[[start, end,
    type], …]``, with attributes as an object at a span's end; empty where the output of what made
    it did not parse, which counts as wrong.
    """

    trains = False

    def __init__(self, task: Task, options: PredictionsOptions) -> None:
        self._task, self._path = task, options.path
        self._id = options.columns.get("doc_id", "doc_id")
        self._pred = options.columns.get("pred", "pred")
        self._rows = self._read()

    def predict(
        self,
        train: Sequence[Document],  # noqa: ARG002 - it was all done elsewhere
        test: Sequence[Document],
        *,
        seed: int,  # noqa: ARG002
    ) -> list[Prediction]:
        """Look up ``test``.

        Raises:
            DataError: a test document has no row.
        """
        missing = [d.id for d in test if d.id not in self._rows]
        if missing:
            other = look_alike(self._rows, missing[0])
            alike = f"; {other} only looks different" if other is not None else ""
            raise DataError(
                f"{len(missing)} of {len(test)} test documents have no row, such as "
                f"{missing[0]}{alike}",
                where=str(self._path),
                fix="write ids in one way" if alike else "predict every test document",
            )
        return [self._prediction(d.id, self._rows[d.id]) for d in test]

    def _read(self) -> dict[str, str]:
        import pandas as pd

        path = self._path
        try:
            if path.suffix.lower() == ".parquet":
                table = pd.read_parquet(path)
            elif path.suffix.lower() == ".csv":
                table = pd.read_csv(path, dtype=str, keep_default_na=False)
            else:
                with path.open(encoding="utf-8") as lines:
                    table = pd.DataFrame(
                        [json.loads(line) for line in lines if line.strip()], dtype=object
                    )
        except (OSError, ValueError, ImportError) as error:
            raise DataError(
                f"cannot be read ({type(error).__name__})", where=str(path), fix="save it again"
            ) from None
        for column in (self._id, self._pred):
            if column not in table.columns:
                raise DataError(
                    f"no column {column!r}",
                    where=str(path),
                    fix="name the columns in options.columns",
                )
        ids = [label_text(v) for v in table[self._id]]
        if len(set(ids)) < len(ids):
            repeated = Counter(ids).most_common(1)[0][0]
            raise DataError(
                f"document {repeated} has several rows",
                where=str(path),
                fix="keep one row a document",
            )
        return dict(zip(ids, (_text(v) for v in table[self._pred]), strict=True))

    def _prediction(self, doc_id: str, value: str) -> Prediction:
        if self._task.kind == "classification":
            # Others' tables write labels in their own case.
            name = label_text(value)
            folded = {label.casefold(): label for label in self._task.labels}
            label = name if name in self._task.labels else folded.get(name.casefold(), name)
            return Prediction(doc_id, label=label or None)
        if not value:
            return Prediction(doc_id)
        if self._task.kind == "multilabel":
            where = f"{self._path}: document {doc_id}"
            return Prediction(doc_id, labels=tuple(sorted(decode_labels(value, where))))
        try:
            spans = tuple(sorted(_span(v) for v in json.loads(value)))
        except (ValueError, TypeError, KeyError):
            raise DataError(
                f"the prediction of document {doc_id} is not [[start, end, type], …]",
                where=str(self._path),
                fix="write spans as JSON; leave the field empty where there is no answer",
            ) from None
        return Prediction(doc_id, spans=spans)


def _text(value: Any) -> str:
    """A cell as text; lists of labels or spans may come as such from JSONL or parquet."""
    if isinstance(value, str):
        return value
    # Parquet's lists come as arrays.
    value = value.tolist() if hasattr(value, "tolist") else value
    return json.dumps(value) if isinstance(value, list | dict) else label_text(value)


def _span(value: Any) -> Span:
    start, end, kind, *rest = value
    if not isinstance(kind, str):
        raise TypeError
    fields = rest.pop() if rest and isinstance(rest[-1], dict) else {}
    values = ((label_text(field), as_value(v)) for field, v in fields.items())
    attributes = tuple(sorted((f, v) for f, v in values if v is not None))
    fragments = tuple((int(a), int(b)) for a, b in rest[0]) if rest else ()
    return Span(int(start), int(end), label_text(kind), fragments, attributes)
