from collections.abc import Callable
from pathlib import Path

import pytest

from medsweep.corpus import Columns, Span, read_documents, scan
from medsweep.errors import DataError

Put = Callable[[str, str], Path]


def test_line_breaks_and_quotes_in_cells(put: Put) -> None:
    path = put("n.csv", 'id,text,label\na,"one\n""two"", three",x\n\nb,four,\n')
    first, second = scan(path)
    assert (first.text, first.label, first.source) == ('one\n"two", three', "x", "n.csv:2")
    assert (second.id, second.label, second.source) == ("b", None, "n.csv:5")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(put: Put, delimiter: str) -> None:
    rows = [["text", "label"], ["a", "x"]]
    path = put("n.csv", "\ufeff" + "\r\n".join(map(delimiter.join, rows)))
    assert [(d.id, d.text, d.label) for d in scan(path)] == [("n-1", "a", "x")]


def test_a_table_that_is_called_tsv(put: Put) -> None:
    assert [d.text for d in scan(put("n.tsv", "id\ttext\n1\ta, b\n"))] == ["a, b"]


def test_entities_are_json(put: Put) -> None:
    cell = '"[{""start"": 0, ""end"": 3, ""type"": ""Drug""}]"'
    path = put("n.csv", f"text,entities\nASS tgl.,{cell}\nnichts,[]\n")
    assert [d.spans for d in read_documents(path, kind="ner")] == [(Span(0, 3, "Drug"),), ()]


def test_a_cell_larger_than_pythons_own_limit(put: Put) -> None:
    text = "wort " * 60_000
    assert [d.text for d in scan(put("n.csv", f"text\n{text}\n"))] == [text]


@pytest.mark.shared_data
def test_medical_abstracts(shared: Path) -> None:
    documents = read_documents(
        shared / "cls_en_medical_abstracts" / "medical_tc_test.csv",
        kind="classification",
        columns=Columns(text="medical_abstract", label="condition_label"),
    )
    assert len(documents) == 2888
    assert {d.label for d in documents} == {"1", "2", "3", "4", "5"}


def test_several_labels_in_a_cell(put: Put) -> None:
    path = put("n.csv", 'text,labels\n1,b; a\n2,[]\n3,"[""a;b""]"\n4,\n')
    assert [d.labels for d in scan(path)] == [("a", "b"), (), ("a;b",), None]
    with pytest.raises(DataError, match="1 of 4 documents have no labels") as caught:
        read_documents(path, kind="multilabel")
    assert caught.value.where == "n.csv:5"
