"""Malformed BioC, PubTator, PubAnnotation, parquet, workbooks: one line, its place, no text."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medsweep.corpus import scan
from medsweep.errors import DataError
from tests.corpus.conftest import CANARY
from tests.corpus.readers.test_bioc import annotation, collection, passage

openpyxl = pytest.importorskip("openpyxl")

Put = Callable[[str, str | bytes], Path]

BOMB = (
    '<!DOCTYPE collection [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
)
OUTSIDE = '<!DOCTYPE collection [<!ENTITY x SYSTEM "file:///etc/hostname">]>'


def bioc_json(**document: Any) -> str:
    return json.dumps({"documents": [{"id": "1", "passages": [], **document}]})


def json_passage(**annotation: Any) -> str:
    mention = {"infons": {"type": "T"}, "locations": [{"offset": 0, "length": 1}], **annotation}
    return bioc_json(passages=[{"offset": 0, "text": CANARY, "annotations": [mention]}])


def pubannotation(**parts: Any) -> str:
    return json.dumps({"text": CANARY, "denotations": [], **parts})


def denoted(**parts: Any) -> str:
    return pubannotation(denotations=[{"span": {"begin": 0, "end": 1}, "obj": "T", **parts}])


def parquet(**columns: Any) -> bytes:
    made = io.BytesIO()
    pq.write_table(pa.table(columns), made)
    return made.getvalue()


def xlsx(*rows: list[Any]) -> bytes:
    book, made = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(made)
    return made.getvalue()


def without(raw: bytes, member: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            if name != member:
                new.writestr(name, old.read(name))
    return made.getvalue()


def attributed(ids: str = "T", **attribute: Any) -> str:
    """A denotation for each letter of ``ids``, and one attribute of the first."""
    span = {"begin": 0, "end": 1}
    return pubannotation(
        denotations=[{"id": i, "span": span, "obj": "T"} for i in ids],
        attributes=[{"subj": "T", "pred": "p", "obj": "x", **attribute}],
        modifications=[{"pred": "Negation", "obj": "T"}],
    )


TABLE = parquet(text=[CANARY], label=["x"])


def with_name(name: str) -> bytes:
    """A workbook with one more member."""
    buffer = io.BytesIO(xlsx(["text"], ["a"]))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(name, CANARY)
    return buffer.getvalue()


BOOK = xlsx(["text", "label"], [CANARY, "x"])
TYPELESS = annotation(0, 3, CANARY[:3]).replace('key="type"', 'key="kind"')
ROLE = annotation(0, 3, CANARY[:3]).replace("<location", '<infon key="role">x</infon><location')
OVERLAPPING = annotation(0, 3, "").replace("<text>", '<location offset="1" length="4"/><text>')
# Name, content, and what the message must begin with.
MALFORMED: dict[str, tuple[str, str | bytes, str]] = {
    "bioc: an entity bomb": (
        "a.bioc",
        collection(passage(0, f"{CANARY} &c;"), head=BOMB),
        "a.bioc: the XML declares entities",
    ),
    "bioc: an entity from outside": (
        "a.bioc",
        collection(passage(0, f"{CANARY} &x;"), head=OUTSIDE),
        "a.bioc: the XML declares entities",
    ),
    "bioc: an entity that only the DTD would declare": (
        "a.xml",
        collection(
            passage(0, f"{CANARY} &x;"), head='<!DOCTYPE collection SYSTEM "file:///etc/hosts">'
        ),
        "a.xml:1: not well-formed XML",
    ),
    "bioc: cut off": ("a.xml", collection(passage(0, CANARY))[:-30], "a.xml:1: not well-formed"),
    "bioc: another root": ("a.bioc", f"<x>{CANARY}</x>", "a.bioc: the root element is not coll"),
    "bioc: an unknown encoding": (
        "a.bioc",
        f'<?xml version="1.0" encoding="x-none"?><collection>{CANARY}</collection>',
        "a.bioc: the XML's encoding is unknown",
    ),
    "bioc: nothing in it": ("a.bioc", "", "a.bioc:1: not well-formed"),
    "bioc: no document": ("a.bioc", "<collection/>", "{path}: no document in it"),
    "bioc: a passage without offset": (
        "a.xml",
        collection(passage(0, CANARY).replace("<offset>0</offset>", "")),
        "a.xml: document 1, passage 1: the passage's offset is not a whole number",
    ),
    "bioc: an offset that is none": (
        "a.xml",
        collection(passage(0, CANARY).replace(">0<", f">{CANARY}<")),
        "a.xml: document 1, passage 1: the passage's offset is not a whole number",
    ),
    "bioc: a negative length": (
        "a.xml",
        collection(passage(0, CANARY, annotation(0, -3, "x"))),
        "a.xml: document 1, annotation 1: the location's length is not a whole number",
    ),
    "bioc: no type": (
        "a.xml",
        collection(passage(0, CANARY, TYPELESS)),
        "a.xml: document 1, annotation 1: the annotation has no infon 'type'",
    ),
    "bioc: a text for a type": (
        "a.xml",
        collection(passage(0, CANARY, annotation(0, 3, "x", CANARY * 20))),
        "a.xml: document 1, annotation 1: the type has 340 characters",
    ),
    "bioc: beside the text and without surface": (
        "a.xml",
        collection(passage(0, CANARY, annotation(20, 3, ""))),
        "a.xml: document 1, annotation 1: start 20 and end 23 do not lie in a text",
    ),
    "bioc: a passage without text": (
        "a.xml",
        collection(passage(0, "", annotation(0, 1, CANARY))),
        "a.xml: document 1, annotation 1: an annotation of a passage without text",
    ),
    "bioc: an empty document": ("a.xml", collection(), "a.xml: document 1: the text is empty"),
    "bioc json: cut off": (
        "a.json",
        json_passage()[:-3] + f"\n{CANARY}",
        "a.json: not JSON (line 2, column 1)",
    ),
    "bioc json: no documents": ("a.bioc", f'{{"{CANARY}": 1}}', "a.bioc: the collection has no"),
    "bioc json: a document that is a text": (
        "a.bioc",
        json.dumps({"documents": [CANARY]}),
        "a.bioc: a document is not an object",
    ),
    "bioc json: passages that are none": (
        "a.json",
        bioc_json(passages={CANARY: 1}),
        "a.json: document 1: passages is not a list",
    ),
    "bioc json: a number for a text": (
        "a.json",
        bioc_json(passages=[{"offset": 0, "text": 5}]),
        "a.json: document 1, passage 1: a text is not a string",
    ),
    "bioc json: a location that is none": (
        "a.json",
        json_passage(locations=[CANARY]),
        "a.json: document 1, annotation 1: a location is not an object",
    ),
    "bioc json: infons that are none": (
        "a.json",
        json_passage(infons=[CANARY]),
        "a.json: document 1, annotation 1: infons is not an object",
    ),
    "bioc: a text for an infon's key": (
        "a.xml",
        collection(
            passage(0, CANARY, ROLE.replace("role", CANARY * 20)),
        ),
        "a.xml: document 1, annotation 1: the infon's key has 340 characters",
    ),
    "bioc json: half an emoji in an infon": (
        "a.json",
        json_passage(infons={"type": "T", "note": f"{CANARY} \ud83d"}),
        "a.json: document 1: an attribute holds half of a surrogate pair",
    ),
    "pubtator: no title": ("a.pubtator", f"1|a|{CANARY}", "a.pubtator:1: the line does not begin"),
    "pubtator: another's mention": (
        "a.pubtator",
        f"1|t|{CANARY}\n2\t0\t3\tx\tT",
        "a.pubtator:2: the line does not begin",
    ),
    "pubtator: two abstracts": (
        "a.pubtator",
        f"1|t|a\n1|a|b\n1|a|{CANARY}",
        "a.pubtator:3: an abstract that does not follow its title",
    ),
    "pubtator: a line of text": (
        "a.pubtator",
        f"1|t|a\n1\t{CANARY}",
        "a.pubtator:2: neither text nor a mention: 2 columns",
    ),
    "pubtator: an offset that is none": (
        "a.pubtator",
        f"1|t|a\n1\t0\t{CANARY}\tx\tT",
        "a.pubtator:2: start and end are not whole numbers",
    ),
    "pubtator: start behind end": (
        "a.pubtator",
        f"1|t|{CANARY}\n1\t3\t1\tx\tT",
        "a.pubtator:2: start 3 and end 1 are no stretch",
    ),
    "pubtator: no type": (
        "a.pubtator",
        f"1|t|{CANARY}\n1\t0\t1\tZ",
        "a.pubtator:2: the mention has no type",
    ),
    "pubtator: a concept and no type": (
        "a.pubtator",
        f"1|t|{CANARY}\n1\t0\t1\tZ\t\t{CANARY}",
        "a.pubtator:2: the mention has no type",
    ),
    "pubtator: a damaged byte": (
        "a.pubtator",
        "1|t|ä\n1|a|".encode() + b"\xe4",
        "a.pubtator:2: not UTF-8",
    ),
    "pubtator: an id twice": (
        "a.pubtator",
        f"1|t|{CANARY}\n1|t|b",
        "a.pubtator:2: id '1' is taken by a.pubtator:1",
    ),
    "pubannotation: no text": (
        "a.json",
        '{"denotations": [], "text": null}',
        "a.json: document 1: the document has no text",
    ),
    "pubannotation: a document that is none": (
        "a.json",
        f'[{pubannotation()}, "{CANARY}"]',
        "a.json: document 2: the document is not an object",
    ),
    "pubannotation: denotations that are none": (
        "a.json",
        pubannotation(denotations={CANARY: 1}),
        "a.json: document 1: denotations is not a list",
    ),
    "pubannotation: no span": (
        "a.json",
        denoted(span=None),
        "a.json: document 1, denotation 1: the span is not an object",
    ),
    "pubannotation: a fraction": (
        "a.json",
        denoted(span={"begin": 0.5, "end": 1}),
        "a.json: document 1, denotation 1: begin is not a whole number",
    ),
    "pubannotation: begin behind end": (
        "a.json",
        denoted(span={"begin": 2, "end": 1}),
        "a.json: document 1, denotation 1: begin 2 lies behind end 1",
    ),
    "pubannotation: beside the text": (
        "a.json",
        denoted(span={"begin": 2, "end": 99}),
        "a.json: document 1, denotation 1: start 2 and end 99 do not lie in a text of 17",
    ),
    "pubannotation: no type": (
        "a.json",
        denoted(obj=" "),
        "a.json: document 1, denotation 1: the denotation has no obj",
    ),
    "pubannotation: attributes that are none": (
        "a.json",
        pubannotation(attributes={CANARY: 1}),
        "a.json: document 1: attributes is not a list",
    ),
    "pubannotation: an attribute that is a text": (
        "a.json",
        pubannotation(attributes=[CANARY]),
        "a.json: document 1, attribute 1: the attribute is not an object",
    ),
    "pubannotation: a modification that is a text": (
        "a.json",
        pubannotation(modifications=[CANARY]),
        "a.json: document 1, modification 1: the modification is not an object",
    ),
    "pubannotation: an attribute of a list": (
        "a.json",
        attributed(subj=[CANARY]),
        "a.json: document 1, attribute 1: the subj is neither a string nor a number",
    ),
    "pubannotation: an attribute of two": (
        "a.json",
        attributed("TT"),
        "a.json: document 1, attribute 1: its subj is the id of 2 denotations",
    ),
    "pubannotation: a text for an attribute": (
        "a.json",
        attributed(pred=CANARY * 20),
        "a.json: document 1, attribute 1: the pred has 340 characters",
    ),
    "pubannotation: a list for a value": (
        "a.json",
        attributed(obj=[CANARY]),
        "a.json: document 1, attribute 1: obj is neither a string, a number nor a truth",
    ),
    "pubannotation: an id that is a list": (
        "a.json",
        denoted(id=[CANARY]),
        "a.json: document 1, denotation 1: the id is neither a string nor a number",
    ),
    "parquet: none": ("a.parquet", f"PAR1{CANARY}PAR1", "a.parquet: not a readable parquet file"),
    "parquet: cut off": ("a.parquet", TABLE[:-50], "a.parquet: not a readable parquet file"),
    "parquet: no text column": (
        "a.parquet",
        parquet(note=[CANARY]),
        "a.parquet: no column 'text' for the text",
    ),
    "parquet: numbers for texts": (
        "a.parquet",
        parquet(text=[5], label=[CANARY]),
        "a.parquet: row 1: the text is not a string",
    ),
    "parquet: broken entities": (
        "a.parquet",
        parquet(text=["a", CANARY], entities=["[]", "[{"]),
        "a.parquet: row 2: entities: not JSON",
    ),
    "parquet: entities that are none": (
        "a.parquet",
        parquet(text=[CANARY], entities=[3]),
        "a.parquet: row 1: entities is not a list",
    ),
    "parquet: a text for a label": (
        "a.parquet",
        parquet(text=["a"], label=[CANARY * 20]),
        "a.parquet: row 1: the label has 340 characters",
    ),
    "xlsx: none": ("a.xlsx", CANARY, "a.xlsx: not a readable workbook"),
    "xlsx: cut off": ("a.xlsx", BOOK[:-100], "a.xlsx: not a readable workbook"),
    "xlsx: no workbook in it": (
        "a.xlsx",
        without(BOOK, "xl/workbook.xml"),
        "a.xlsx: not a readable workbook",
    ),
    "xlsx: a name in it that is no UTF-8": (
        "a.xlsx",
        with_name("ä.xml").replace("ä".encode(), b"\x9e\x9e"),
        "a.xlsx: not a readable workbook",
    ),
    "xlsx: no text column": (
        "a.xlsx",
        xlsx([f"{CANARY} note", "label"], ["a", "x"]),
        "a.xlsx: row 1: no column 'text' for the text in the header (2 columns)",
    ),
    "xlsx: a number for a text": (
        "a.xlsx",
        xlsx(["text", "label"], ["a", "x"], [5, CANARY]),
        "a.xlsx: row 3: the text is not a string",
    ),
    "xlsx: a cell beyond the header": (
        "a.xlsx",
        xlsx(["text", "label", None], ["a", "x", None, ""], ["b", "x", CANARY]),
        "a.xlsx: row 3: cells beyond the header, which has 2",
    ),
    "xlsx: a cell that is an error": (
        "a.xlsx",
        xlsx(["text", "label"], [CANARY, "#N/A"]),
        "a.xlsx: row 2: a cell holds an error of a formula",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(put: Put, name: str) -> None:
    file, content, begins = MALFORMED[name]
    path = put(file, content)
    with pytest.raises(DataError) as caught:
        list(scan(path))
    message = str(caught.value)
    assert message.startswith(begins.format(path=path))
    assert CANARY not in message
    assert "\n" not in message
    # Nor in what a traceback would show as the cause.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
