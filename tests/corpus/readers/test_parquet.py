import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medsweep.corpus import Columns, Document, Span, scan

ENTITIES = [{"start": 0, "end": 3, "type": "Drug"}]


def write(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


@pytest.mark.parametrize("as_json", [True, False])
def test_entities_as_json_and_as_structs(tmp_path: Path, as_json: bool) -> None:
    cells = [json.dumps(ENTITIES) if as_json else ENTITIES, None, "[]" if as_json else []]
    path = write(tmp_path / "a.parquet", text=["ASS", "x", "y"], entities=cells, id=[4, 5, 6])
    assert list(scan(path)) == [
        Document("4", "ASS", spans=(Span(0, 3, "Drug"),)),
        Document("5", "x"),
        Document("6", "y", spans=()),
    ]


def test_pieces_as_structs(tmp_path: Path) -> None:
    cells = [[{"spans": [[0, 1], [2, 3]], "type": "T"}, {"start": 0, "end": 1, "type": "T"}]]
    path = write(tmp_path / "a.parquet", text=["ASS"], entities=cells)
    (document,) = scan(path)
    assert document.spans == (Span(0, 1, "T"), Span(0, 3, "T", ((0, 1), (2, 3))))


def test_other_columns_and_whole_numbers_with_gaps(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", note=["a", "b"], y=[1.0, None], other=[[1], [2]])
    changes: Counter[str] = Counter()
    documents = list(scan(path, columns=Columns(text="note", label="y"), changes=changes))
    assert [(d.id, d.label) for d in documents] == [("a-1", "1"), ("a-2", None)]
    assert changes == {"labels and ids such as 1.0 read as 1": 1}


def test_labels_as_lists_and_as_cells(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", text=["1", "2", "3"], labels=[["b", "a"], [], None])
    assert [d.labels for d in scan(path)] == [("a", "b"), (), None]
    path = write(tmp_path / "b.parquet", text=["1", "2"], labels=["a;b", ""])
    assert [d.labels for d in scan(path)] == [("a", "b"), None]
