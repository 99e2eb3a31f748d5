"""Variants of what ``cases`` hold: other files of the same kinds."""

import bz2
import datetime
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from medsweep.corpus import Columns, Span, scan
from medsweep.corpus._base import Changes
from medsweep.corpus.readers.spacy import string_hash
from medsweep.errors import DataError

Put = Callable[[str, str | bytes], Path]


def read(path: Path, **how: Any) -> tuple[list[Any], Changes]:
    """Text with label, labels or mentions of each document, and what reading changed."""
    changes = Changes()
    documents = [
        (d.text, d.label if d.label is not None else d.labels if d.labels is not None else d.spans)
        for d in scan(path, changes=changes, **how)
    ]
    return documents, changes


CHEST = Span(0, 5, "P")
RECORDS: list[tuple[str, list[Any]]] = [
    # A list of labels that is empty is one of mentions where others are.
    (
        '{"text":"Ok","label":[]}\n{"text":"Chest","label":[[0,5,"P"]]}',
        [("Ok", ()), ("Chest", (CHEST,))],
    ),
    ('{"text":"a","label":["x","y"]}\n{"text":"b","label":[]}', [("a", ("x", "y")), ("b", ())]),
    ('{"text":"Chest","labels":[[0,5,"P"]],"meta":{}}', [("Chest", (CHEST,))]),
    ('{"id":1,"data":"Chest","label":[[0,5,"P"]]}', [("Chest", (CHEST,))]),
    ('{"text":"a","label":"x","answer":"yes"}', [("a", "x")]),
    ('{"text":"a","accept":["x","y"],"options":[],"answer":"accept"}', [("a", ("x", "y"))]),
    ('[{"text":"a","label":1.0},{"text":"b","label":1}]', [("a", "1"), ("b", "1")]),
]


@pytest.mark.parametrize(("content", "expected"), RECORDS)
def test_records_of_json_lines(put: Put, content: str, expected: list[Any]) -> None:
    assert read(put("n.jsonl", content))[0] == expected


VALUES: list[tuple[Any, list[Any]]] = [
    ({"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}, [("a", "x"), ("b", "y")]),
    ({"text": ["a", "b"], "label": ["x", "y"]}, [("a", "x"), ("b", "y")]),
    ({"version": 1, "data": [{"text": "a", "label": "x"}]}, [("a", "x")]),
    ({"text": "a", "label": "x"}, [("a", "x")]),
    (
        [{"text": "Chest", "label": [{"start": 0, "end": 5, "text": "Chest", "labels": ["P"]}]}],
        [("Chest", (CHEST,))],
    ),
    (
        [
            {
                "id": "1",
                "passages": [
                    {"text": ["Chest"], "offsets": [[0, 5]]},
                    {"text": ["pain"], "offsets": [[7, 11]]},
                ],
                "entities": [{"type": "P", "text": ["Chest"], "offsets": [[0, 5]]}],
                "events": [],
            }
        ],
        [("Chest  pain", (CHEST,))],
    ),
]


@pytest.mark.parametrize(("value", "expected"), VALUES)
def test_json_in_one_value(put: Put, value: Any, expected: list[Any]) -> None:
    assert read(put("n.json", json.dumps(value, indent=2)))[0] == expected


def task(*annotations: dict[str, Any], **data: str) -> dict[str, Any]:
    return {"id": 1, "data": data, "annotations": list(annotations)}


def chosen(label: str, by: int) -> dict[str, Any]:
    result = {"type": "choices", "value": {"choices": [label]}, "to_name": "text"}
    return {"completed_by": by, "result": [result]}


def test_annotators_of_a_task_have_to_agree_or_be_chosen(put: Put) -> None:
    path = put("n.json", json.dumps([task(chosen("x", 1), chosen("y", 2), text="a")]))
    with pytest.raises(DataError, match=r"annotators 1, 2; choose one with --annotator"):
        read(path)
    assert read(path, annotator="2")[0] == [("a", "y")]
    path = put("n.json", json.dumps([task(chosen("x", 1), chosen("x", 2), text="a")]))
    assert read(path)[0] == [("a", "x")]


def test_a_preference_between_two_texts(put: Put) -> None:
    result = {"type": "pairwise", "value": {"selected": "left"}, "to_name": ["one", "two"]}
    path = put("n.json", json.dumps([task({"result": [result]}, one="a", two="b")]))
    assert read(path)[0] == [("a\n\nb", "left")]


def test_quotes_that_are_right_are_no_fault(put: Put) -> None:
    rows = 'id,text,label\n1,"BP 120, HR 80\nTemp 37, RR 20",x\n2,"Hb 13,5\nLeuko 4,2",y\n'
    assert read(put("n.csv", rows))[0] == [
        ("BP 120, HR 80\nTemp 37, RR 20", "x"),
        ("Hb 13,5\nLeuko 4,2", "y"),
    ]
    rows = 'text\tlabel\n"He said ""x"""\ta\n"two\nlines"\tb\n'
    assert read(put("n.tsv", rows))[0] == [('He said "x"', "a"), ("two\nlines", "b")]


def test_encodings_are_told_or_named(put: Put) -> None:
    rows = "text;label\nGrün;größer\n"
    for encoding in ("cp1252", "utf-16", "utf-8-sig"):
        found, changes = read(put("n.csv", rows.encode(encoding)))
        assert found == [("Grün", "größer")]
        assert len(changes) == (encoding != "utf-8-sig")
    path = put("n.csv", rows.encode("cp850"))
    assert read(path, encoding="cp850")[0] == [("Grün", "größer")]
    with pytest.raises(DataError, match="no encoding 'x'"):
        read(path, encoding="x")


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"PK\x03\x04", "a zip, or an Excel"), (b"\x1f\x8b", "gzip"), (b"PAR1", "parquet")],
)
def test_what_is_no_text_is_called_by_its_name(put: Put, content: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read(put("n.csv", content))


CONLL = [
    ("1\td1\tChest\tB-P\n2\td1\tpain\tO\n", "Chest pain"),
    ("d1\t0\tChest\tB-P\nd1\t0\tpain\tO\n", "Chest pain"),
    ("Chest NN B-NP B-P\npain NN I-NP O\n", "Chest pain"),
    ("-DOCSTART- -X- O O\n\nChest NN O B-P\n\npain NN O O\n\n-DOCSTART- O O O\n", "Chest pain"),
    ("# newdoc id = x\nChest B-P\n\npain O\n", "Chest pain"),
    (
        "# global.columns = ID FORM NER\n# text = B\n1-2\tx\t_\n1\tChest\tB-P\n2\tpain\tO\n",
        "Chest pain",
    ),
]


@pytest.mark.parametrize(("content", "text"), CONLL)
def test_the_column_of_the_words(put: Put, content: str, text: str) -> None:
    assert read(put("n.conll", content))[0] == [(text, (CHEST,))]


def test_parts_of_a_corpus_are_no_documents(put: Put, tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        put(f"c/{name}.conll", f"{name} O\n\nx O\n")
    assert {d.group for d in scan(tmp_path / "c")} == {None}


def zipped(**files: str | bytes) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return raw.getvalue()


def test_wrappings(put: Put, tmp_path: Path) -> None:
    line = b'{"text":"a","label":"x"}\n'
    assert read(put("n.jsonl.xz", lzma.compress(line)))[0] == [("a", "x")]
    assert read(put("n.jsonl.bz2", bz2.compress(line)))[0] == [("a", "x")]
    inner = zipped(a_jsonl=line, README_md="x")
    assert read(put("n.zip", zipped(x__inner_zip=inner)))[0] == [("a", "x")]
    broken = put("b.zip", zipped(x__a_jsonl='{"text":'))
    with pytest.raises(DataError, match=r"^b\.zip/x/a\.jsonl: not JSON"):
        read(broken)
    with pytest.raises(DataError, match="a tar archive; unpack it"):
        read(put("n.tar.gz", b"x"))
    put("both/a.jsonl", line)
    put("both/a.jsonl.bz2", bz2.compress(line))
    with pytest.raises(DataError, match=r"a\.jsonl lies beside it"):
        read(tmp_path / "both")


def test_files_of_a_folder_that_nobody_reads_are_counted(put: Put, tmp_path: Path) -> None:
    put("a.ann", "T1\tP 0 5\tChest\n")
    put("a.txt", "Chest")
    for other in ("b.pdf", "c.json", "LICENSE", "annotation.conf"):
        put(other, "x")
    assert read(tmp_path)[1] == {".pdf files passed over": 1, ".json files passed over": 1}


def test_annotators_with_a_folder_each(put: Put, tmp_path: Path) -> None:
    for who, end in (("eve", 5), ("bob", 4)):
        put(f"{who}/a.ann", f"T1\tP 0 {end}\n")
        put(f"{who}/a.txt", "Chest " * 50)
    with pytest.raises(DataError, match=r"has the text of bob/a\.ann, .*--annotator"):
        read(tmp_path)
    assert read(tmp_path, annotator="eve")[0] == [("Chest " * 50, (CHEST,))]


def test_a_share_of_misplaced_mentions(put: Put) -> None:
    mention = {"start": 0, "end": 5, "type": "P", "text": "Chest"}
    elsewhere = [{**mention, "start": n, "end": n + 5} for n in (90, 190, 290)]
    lines = [
        json.dumps({"text": "Chest", "entities": e}) for e in ([mention], [mention], elsewhere)
    ]
    path = put("n.jsonl", "\n".join(lines))
    with pytest.raises(
        DataError, match=r"^n\.jsonl:3: entity 1: .*\(3 of 5 mentions are misplaced"
    ):
        read(path)
    _, changes = read(path, max_misplaced=0.6)
    places = [f"n.jsonl:3: entity {n}" for n in (1, 2, 3)]
    assert [e.where for e in changes.misplaced] == places


def test_classes_that_may_be_one_are_noted(put: Put) -> None:
    _, changes = read(put("n.csv", 'text,labels\nx,"a, b"\ny,a\nz,b\nw,B\n'))
    assert changes == {
        "classes that differ in capital letters alone": 2,
        "classes whose names are those of others in one: several labels go under labels": 1,
    }


def test_a_part_of_a_divided_corpus(put: Put) -> None:
    path = put("n.csv", "text,label,set\na,x,train\nb,y,valid\nc,x,test\n")
    assert read(path, columns=Columns(split="set"), part="dev")[0] == [("b", "y")]
    with pytest.raises(DataError, match=r"no document of split 'final'; name one of dev, test"):
        read(path, columns=Columns(split="set"), part="final")
    path = put("m.csv", "text,label,split\na,x,train\nc,x,test\n")
    assert any("split is not used" in kind for kind in read(path)[1])


def test_n2c2_and_i2b2(put: Put) -> None:
    tags = '<ABDOMINAL met="met"/><CREATININE met="not met"/>'
    xml = f"<PatientMatching><TEXT><![CDATA[a]]></TEXT><TAGS>{tags}</TAGS></PatientMatching>"
    assert read(put("n.xml", xml))[0] == [("a", ("ABDOMINAL",))]
    event = '<EVENT id="E0" start="2" end="7" text="Chest" type="PROBLEM" polarity="NEG"/>'
    root = "ClinicalNarrativeTemporalAnnotation"
    xml = f"<{root}>\n<TEXT>Chest</TEXT><TAGS>{event}<TLINK id='T'/></TAGS></{root}>"
    found, changes = read(put("n.xml", xml))
    assert found == [("Chest", (Span(0, 5, "PROBLEM", attributes=(("polarity", "NEG"),)),))]
    assert changes["tags without a place left out"] == 1


def test_hashes_of_spacy() -> None:
    # spaCy's documentation, "Vocab, hashes and lexemes".
    assert string_hash("coffee") == 3197928453018144401
    assert string_hash("") == 0


def test_merged_cells_and_dates(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    day = datetime.datetime(2026, 1, 2)
    for row in (("text", "label", "group"), ("a", "x", day), ("b", None, day), ("c", "y", day)):
        sheet.append(row)
    sheet.merge_cells("B2:B3")
    book.save(tmp_path / "n.xlsx")
    documents = list(scan(tmp_path / "n.xlsx", changes=(changes := Changes())))
    assert [(d.label, d.group) for d in documents] == [
        ("x", "2026-01-02"),
        ("x", "2026-01-02"),
        ("y", "2026-01-02"),
    ]
    assert changes == {"cells filled with the value that was merged over them": 1}


def test_offsets_in_utf_16_without_surfaces_are_suspected(put: Put) -> None:
    mention = [{"start": 9, "end": 14, "type": "P"}]
    path = put("n.jsonl", json.dumps({"text": "😀😀 with Chest pain", "entities": mention}))
    assert any("UTF-16" in kind for kind in read(path)[1])


def test_a_text_that_nobody_sees_is_empty(put: Put) -> None:
    with pytest.raises(DataError, match="the text is empty"):
        read(put("n.jsonl", '{"text": "\\u200b \\ufeff"}'))


def test_a_record_of_another_shape_is_refused(put: Put) -> None:
    lines = '{"tokens":["a"],"ner_tags":["O"]}\n{"text":"b"}\n'
    with pytest.raises(DataError, match=r"n\.jsonl:2: tokens and ner_tags are not lists"):
        read(put("n.jsonl", lines))


def test_a_first_sentence_of_fewer_columns_is_refused(put: Put) -> None:
    with pytest.raises(DataError, match=r"^n\.conll:1: 2 columns, the lines before have 4"):
        read(put("n.conll", "x\ty\n\n1\tChest\tB-P\tO\n2\tpain\tO\tO\n"))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.xlsx"])
def test_numbers_are_the_same_labels_in_every_format(tmp_path: Path, name: str) -> None:
    import pandas as pd

    table = pd.DataFrame({"id": [1.0, 2.0, 3.0], "text": ["x", "y", "z"], "label": [1.0, 1.5, 2.0]})
    path = tmp_path / name
    if name == "a.csv":
        table.to_csv(path, index=False)
    elif name == "a.jsonl":
        table.to_json(path, orient="records", lines=True)
    elif name == "a.parquet":
        table.to_parquet(path)
    else:
        table.to_excel(path, index=False)
    assert [(d.id, d.label) for d in scan(path)] == [("1", "1"), ("2", "1.5"), ("3", "2")]


def test_one_torn_mention_of_two_is_left_out(put: Put, tmp_path: Path) -> None:
    put("a.txt", "ASS 100 mg once")
    put("a.ann", "T1\tDrug 0 3\tASS\nT2\tDose 4 10\tsomething else\n")
    (document,), changes = read(tmp_path)
    assert document[1] == (Span(0, 3, "Drug"),)
    assert len(changes.misplaced) == 1
    with pytest.raises(DataError, match="1 of 2 mentions are misplaced"):
        read(tmp_path, max_misplaced=0)
    put("a.ann", "T2\tDose 4 10\tsomething else\n")
    with pytest.raises(DataError, match="1 of 1 mentions are misplaced"):
        read(tmp_path)


def test_doccanos_numbers_of_labels(put: Put) -> None:
    mention = {"label": 3, "start_offset": 0, "end_offset": 3, "user": 1, "id": 7}
    rows = [{"id": 1, "text": "ASS", "annotations": [mention], "meta": {}}]
    rows += [{"id": 2, "text": "none", "annotations": []}]
    lines = "\n".join(map(json.dumps, rows))
    documents, changes = read(put("a.jsonl", lines))
    assert documents == [("ASS", (Span(0, 3, "3"),)), ("none", ())]
    assert changes["labels that are numbers: doccano's label_config.json has their names"] == 1
    rows = [{"text": f"t{n}", "annotations": [{"label": n, "user": 1}]} for n in (1, 2)]
    assert read(put("b.jsonl", "\n".join(map(json.dumps, rows))))[0] == [("t1", "1"), ("t2", "2")]
    rows[0]["annotations"] = [{"label": 1, "user": 1}, {"label": 2, "user": 2}]
    path = put("c.jsonl", "\n".join(map(json.dumps, rows[:1])))
    with pytest.raises(DataError, match=r"annotations of several people \(1, 2\)"):
        read(path)
    assert read(path, annotator="2")[0] == [("t1", "2")]


def test_label_studios_hypertext(put: Put) -> None:
    html = "<div><p>Pain &amp; fever</p><p>ASS<br>100 mg</p><style>p {}</style></div>"
    value = {
        "start": "/div[1]/p[2]/text()[1]",
        "end": "/div[1]/p[2]/text()[1]",
        "startOffset": 0,
        "endOffset": 3,
        "globalOffsets": {"start": 12, "end": 15},
        "text": "ASS",
        "hypertextlabels": ["Drug"],
    }
    results = [{"type": "hypertextlabels", "value": value}]
    task = {"id": 1, "data": {"text": html}, "annotations": [{"result": results}]}
    (document,), changes = read(put("a.json", json.dumps([task])))
    assert document == ("Pain & fever\nASS\n100 mg\n", (Span(13, 16, "Drug"),))
    assert changes["texts in HTML read without their tags"] == 1
    del value["globalOffsets"]
    with pytest.raises(DataError, match="a region of HTML without globalOffsets"):
        read(put("b.json", json.dumps([task])))
