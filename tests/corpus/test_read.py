"""Malformed input: one line, with its place and without text."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsweep.corpus import Columns, read_documents, scan
from medsweep.corpus.readers import READERS
from medsweep.errors import DataError
from tests.corpus.conftest import CANARY
from tests.corpus.readers.annotations import SPANS, TEXT, TSV, TYPES, XMI
from tests.corpus.readers.test_i2b2_smoking import zipped

Put = Callable[[str, str | bytes], Path]


def entity(**entity: Any) -> str:
    return json.dumps({"text": CANARY, "entities": [{"type": "T", **entity}]})


def row(**parts: Any) -> str:
    return json.dumps({"text": CANARY, "label": "x", **parts})


ROW = row()
SMOKING = '<SMOKING STATUS="SMOKER"/>'
# Name, content, kind, and what the message must begin with.
MALFORMED: list[tuple[str, str | bytes, str, str]] = [
    ("a.jsonl", ROW + f'\n{{"text": "{CANARY}', "classification", "a.jsonl:2: not JSON"),
    ("a.jsonl", f'["{CANARY}"]', "classification", "a.jsonl:1: not a JSON object"),
    (
        "a.jsonl",
        f'{{"note": "{CANARY}"}}',
        "classification",
        "a.jsonl:1: the document has no 'text",
    ),
    ("a.jsonl", f'{{"text": ["{CANARY}"]}}', "classification", "a.jsonl:1: the text is not a str"),
    (
        "a.jsonl",
        f'{{"text": "{CANARY}", "text": ""}}',
        "ner",
        "a.jsonl:1: an object has a key twice",
    ),
    ("a.jsonl", "[" * 100_000, "ner", "a.jsonl:1: JSON nested too deep"),
    ("a.jsonl", f'{{"text": {"9" * 5000}}}', "ner", "a.jsonl:1: JSON with a number out of range"),
    ("a.jsonl", ROW.encode() + b'\n{"text": "\xe4"}', "classification", "a.jsonl:2: not UTF-8"),
    ("a.jsonl", row(text=" \n"), "classification", "a.jsonl:1: the text is empty"),
    ("a.jsonl", '{"text": "a \\ud83d"}', "classification", "a.jsonl:1: the text holds half"),
    ("a.jsonl", f"{row(id='i')}\n{row(id='i')}", "classification", "a.jsonl:2: id 'i' is taken by"),
    ("a.jsonl", row(id=" "), "classification", "a.jsonl:1: the id is empty"),
    ("a.jsonl", row(label=CANARY * 20), "classification", "a.jsonl:1: the label has 340 char"),
    ("a.jsonl", row(label=f"{CANARY}\nb"), "classification", "a.jsonl:1: the label has 19 char"),
    ("a.jsonl", row(label={"a": 1}), "classification", "a.jsonl:1: the label is neither"),
    (
        "a.jsonl",
        f"{ROW}\n{row(label='')}",
        "classification",
        "a.jsonl:2: 1 of 2 documents have no l",
    ),
    ("a.jsonl", ROW, "ner", "a.jsonl:1: 1 of 1 documents have no entities"),
    ("a.jsonl", "\n\n", "classification", "{path}: no document in it"),
    ("a.jsonl", row(entities={}), "ner", "a.jsonl:1: entities is not a list"),
    ("a.jsonl", row(entities=[CANARY]), "ner", "a.jsonl:1: entity 1: not an object"),
    ("a.jsonl", entity(start=3, end=3), "ner", "a.jsonl:1: entity 1: start 3 and end 3 do not"),
    ("a.jsonl", entity(start=0, end=18), "ner", "a.jsonl:1: entity 1: start 0 and end 18 do not"),
    ("a.jsonl", entity(start=-1, end=2), "ner", "a.jsonl:1: entity 1: start -1 and end 2 do not"),
    ("a.jsonl", entity(start="0", end=2), "ner", "a.jsonl:1: entity 1: start and end are not"),
    ("a.jsonl", entity(start=3, end=3, text=CANARY), "ner", "a.jsonl:1: entity 1: start 3 and end"),
    ("a.jsonl", entity(start=0, end=2, text=[CANARY]), "ner", "a.jsonl:1: entity 1: the entity's"),
    ("a.jsonl", entity(start=0, end=2, type=""), "ner", "a.jsonl:1: entity 1: no type"),
    ("a.jsonl", entity(spans=[]), "ner", "a.jsonl:1: entity 1: spans is not a list"),
    (
        "a.csv",
        f"text,label\n{CANARY},x,y\n",
        "classification",
        "a.csv:2: 3 cells, the header has 2",
    ),
    ("a.csv", f'text\n"{CANARY}\n', "classification", "a.csv:2: the quotes of the row"),
    ("a.csv", f"{CANARY} hat,x\n", "classification", "a.csv:1: no column 'text' for the text"),
    ("a.csv", f"text,text\n{CANARY},b\n", "classification", "a.csv:1: a column name appears twice"),
    ("a.csv", "text\nä\n".encode() + b"\xe4\n", "classification", "a.csv:3: not UTF-8"),
    ("a.csv", f"text,entities\n{CANARY},[\n", "ner", "a.csv:2: entities: not JSON"),
    ("a.conll", f"a O\n{CANARY}\n", "ner", "a.conll:2: 1 columns, the lines before have 2"),
    ("a.conll", f"1 a O O\n2 b O O\n\n1 {CANARY} O\n", "ner", "a.conll:4: 3 columns, the lines be"),
    ("a.conll", f"1 a O O\n2 b O O\n\n1 c O {CANARY}\n", "ner", "a.conll:4: the tag is none of"),
    ("a.conll", f"# newdoc id = {CANARY * 20}\na O\n", "ner", "a.conll:1: the id has 340 char"),
    ("a.conll", f"a O\nb {CANARY}\n", "ner", "a.conll:2: the tag is none of"),
    ("a.conll", "a\tO\n\tO\n", "ner", "a.conll:2: a tag without a token"),
    ("a.xml", f"<NOTE>{CANARY}</NOTE>", "classification", "{path}: the format cannot be told"),
    (
        "a.xml",
        f"<ROOT><RECORD>{SMOKING}<TEXT>{CANARY}</RECORD></ROOT>",
        "classification",
        "a.xml:1: not well-formed XML",
    ),
    (
        "a.xml",
        f"<ROOT><RECORD>{SMOKING}{CANARY}</RECORD></ROOT>",
        "classification",
        "a.xml: record 1: the record has no TEXT",
    ),
    (
        "a.xml",
        f"<ROOT><RECORD><SMOKING/><TEXT>{CANARY}</TEXT></RECORD></ROOT>",
        "classification",
        "a.xml: record 1: SMOKING has no STATUS",
    ),
    ("a.zip", CANARY, "classification", "a.zip: not a readable zip"),
    ("a.zip", zipped({"a.txt": CANARY}), "classification", "{path}: no file of a known"),
    ("a.pdf", CANARY, "classification", "{path}: the format cannot be told"),
]


@pytest.mark.parametrize(("name", "content", "kind", "begins"), MALFORMED)
def test_malformed(put: Put, name: str, content: str | bytes, kind: Any, begins: str) -> None:
    path = put(name, content)
    with pytest.raises(DataError) as caught:
        read_documents(path, kind=kind)
    message = str(caught.value)
    assert message.startswith(begins.format(path=path))
    assert CANARY not in message
    assert "\n" not in message
    # Nor in what a traceback would show as the cause.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_column_that_was_named_must_be_there(put: Put) -> None:
    path = put("a.csv", "text,label\na,b\n")
    with pytest.raises(DataError, match=r"no column 'status' .*\(2 columns: text, label\)"):
        read_documents(path, kind="classification", columns=Columns(label="status"))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        list(scan(tmp_path / "none.jsonl"))


def test_formats_that_do_not_exist(put: Put) -> None:
    with pytest.raises(DataError, match="no format 'x'") as caught:
        list(scan(put("a.jsonl", ROW), format="x"))
    assert all(known in str(caught.value) for known in READERS)


def test_layer_is_refused_where_there_are_none(put: Put) -> None:
    with pytest.raises(DataError, match="format jsonl has no layers"):
        list(scan(put("a.jsonl", ROW), layer="Named"))


def test_a_folder_is_read_file_by_file(put: Put, tmp_path: Path) -> None:
    put("b/two.jsonl", ROW)
    put("b/one.jsonl", ROW)
    put("b/README.md", "x")
    put("b/.hidden.jsonl", "x")
    assert [d.id for d in scan(tmp_path / "b")] == ["one-1", "two-1"]
    put("b/three.conll", "a O")
    with pytest.raises(DataError, match="several formats"):
        list(scan(tmp_path / "b"))
    assert [d.id for d in scan(tmp_path / "b", format="conll")] == ["three-1"]
    with pytest.raises(DataError, match="no file of format csv"):
        list(scan(tmp_path / "b", format="csv"))


def test_unlabelled_documents_for_prediction(put: Put) -> None:
    path = put("a.jsonl", '{"text": "a"}')
    assert [d.id for d in read_documents(path, kind="ner", unlabelled=True)] == ["a-1"]


def test_without_gold_no_layer_has_to_be_chosen(put: Put) -> None:
    """A type system declares all layers of a project, also beside a letter without a mention."""
    put("TypeSystem.xml", TYPES)
    path = put("n.xmi", "\n".join(line for line in XMI.split("\n") if "custom:" not in line))
    with pytest.raises(DataError, match="several layers"):
        read_documents(path, kind="ner")
    (document,) = read_documents(path, kind="ner", unlabelled=True)
    assert (document.text, document.spans) == (TEXT, None)
    (document,) = read_documents(path, kind="ner", unlabelled=True, layer="Med.value")
    assert document.spans == ()
    with pytest.raises(DataError, match="no layer Proc"):
        read_documents(path, kind="ner", unlabelled=True, layer="Proc")


OTHER = TSV.replace("Herr", "Frau")
DAMAGED = TSV.replace("1-1\t0-4\t", "1-1\t0-5\t")


def test_a_folder_a_document_as_inception_exports_it(put: Put, tmp_path: Path) -> None:
    for name, content in {
        "annotation/a.txt/admin.tsv": TSV,
        "annotation/a.txt/INITIAL_CAS.tsv": TSV,
        "annotation/b.txt/admin.tsv": OTHER,
        "curation/a.txt/CURATION_USER.tsv": TSV,
        "curation/b.txt/CURATION_USER.tsv": OTHER,
    }.items():
        put(name, content)
    for folder in ("annotation", "curation"):
        changes: Counter[str] = Counter()
        documents = list(scan(tmp_path / folder, changes=changes))
        assert [d.id for d in documents] == ["a.txt", "b.txt"]
        assert documents[0].spans == SPANS
        assert changes["files INITIAL_CAS left out"] == (folder == "annotation")
    assert documents[0].source == "a.txt/CURATION_USER.tsv"
    # One document must not come twice, neither by two annotators nor with its curation.
    changes = Counter()
    assert [d.id for d in scan(tmp_path, changes=changes)] == ["a.txt", "b.txt"]
    assert changes["files of annotators left out: their document is curated"] == 2
    put("annotation/b.txt/bob.tsv", OTHER)
    with pytest.raises(DataError, match=r"b.txt: files of several annotators \(admin, bob\); "):
        list(scan(tmp_path / "annotation"))
    read = list(scan(tmp_path / "annotation", annotator="admin"))
    assert [d.source for d in read] == ["a.txt/admin.tsv", "b.txt/admin.tsv"]
    with pytest.raises(DataError, match=r"no file or folder of annotator 'eve'; .* admin, bob"):
        list(scan(tmp_path / "annotation", annotator="eve"))
    put("annotation/a.txt/admin.tsv", DAMAGED)
    with pytest.raises(DataError, match=r"^a.txt/admin.tsv:7: the token does not stand"):
        list(scan(tmp_path / "annotation", annotator="admin"))


def test_files_of_one_name_in_several_folders(put: Put, tmp_path: Path) -> None:
    """Those that are a document each are called after their paths."""
    for name, text in {"2019/n": "Frau", "2020/n": "Dame", "2020/m": "Mann", "n": "Kind"}.items():
        put(f"{name}.tsv", TSV.replace("Herr", text))
        put(f"brat/{name}.txt", text)
        put(f"brat/{name}.ann", "")
        put(f"xmi/{name}.zip", zipped({"cas.xmi": XMI.replace("Herr", text)}))
        put(f"jsonl/{name}.jsonl", row(id="n" if name == "n" else name))
    paths = ["2019", "2020/m", "2020/n", "n"]
    assert [d.id for d in scan(tmp_path, format="webanno-tsv")] == paths
    assert [d.id for d in scan(tmp_path / "brat")] == paths
    assert [d.id for d in scan(tmp_path / "xmi")] == paths
    assert [d.id for d in scan(tmp_path / "jsonl")] == ["2019/n", *paths[1:]]
    put("lines/a/n.jsonl", f"{ROW}\n{row(id='i')}")
    put("lines/b/n.jsonl", row(id="i"))
    with pytest.raises(DataError, match=r"^b/n.jsonl:1: id 'i' is taken by a/n.jsonl:2"):
        list(scan(tmp_path / "lines"))


def test_one_document_in_folders_of_one_name(put: Put, tmp_path: Path) -> None:
    put("x/a.txt/admin.tsv", TSV)
    put("y/a.txt/admin.tsv", OTHER)
    assert [d.id for d in scan(tmp_path)] == ["x/a.txt", "y/a.txt"]
