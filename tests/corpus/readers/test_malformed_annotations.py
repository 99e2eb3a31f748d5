"""Broken files of the formats with annotations: what is wrong, where, and never the text."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsweep.corpus import scan
from medsweep.errors import DataError
from tests.corpus.conftest import CANARY

from .annotations import TYPES, zipped

Put = Callable[[str, str | bytes], Path]

TEXT = f"{CANARY} {CANARY} sang"
TSV = f"""#FORMAT=WebAnno TSV 3.3
#T_SP=c.Med|value

#Text={TEXT}
1-1	0-17	{CANARY}	A[1]
1-2	18-35	{CANARY}	B
1-3	36-40	sang	_
"""
XMI = f"""<?xml version="1.0" encoding="UTF-8"?>
<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore"
 xmlns:c="http:///c.ecore">
<c:Med xmi:id="3" sofa="1" begin="0" end="17" value="A"/>
<cas:Sofa xmi:id="1" sofaID="_InitialView" sofaString="{TEXT} 😊"/>
<cas:View sofa="1" members="3"/>
</xmi:XMI>
"""


def cas(**parts: Any) -> str:
    """A CAS as JSON; parts whose value is None are left out."""
    structures = [
        {"%ID": 1, "%TYPE": "uima.cas.Sofa", "sofaID": "_InitialView", "sofaString": TEXT},
        {"%ID": 3, "%TYPE": "c.Med", "@sofa": 1, "begin": 0, "end": 17, "value": "A"},
    ]
    usual = {
        "TYPES": {},
        "FEATURE_STRUCTURES": structures,
        "VIEWS": {"_InitialView": {"%SOFA": 1, "%MEMBERS": [3]}},
    }
    return json.dumps({f"%{k}": v for k, v in (usual | parts).items() if v is not None})


def structure(**features: Any) -> str:
    med = {"%ID": 3, "%TYPE": "c.Med", "@sofa": 1, "begin": 0, "end": 17}
    sofa = {"%ID": 1, "%TYPE": "uima.cas.Sofa", "sofaID": "_InitialView", "sofaString": TEXT}
    return cas(FEATURE_STRUCTURES=[sofa, {k: v for k, v in (med | features).items() if v != ""}])


def claiming(size: int) -> bytes:
    """A zip whose member claims to have ``size`` bytes."""
    raw = bytearray(zipped({"a.xmi": XMI}))
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", raw, raw.index(mark) + at, size)
    return bytes(raw)


def encrypted() -> bytes:
    raw = bytearray(zipped({"a.xmi": XMI}))
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


def many() -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for number in range(1001):
            archive.writestr(f"{number}.xmi", b"")
    return raw.getvalue()


DTD = '<!DOCTYPE xmi:XMI SYSTEM "http://127.0.0.1:9/x.dtd">'
BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def with_doctype(doctype: str) -> str:
    return XMI.replace("?>\n", f"?>\n{doctype}\n", 1)


ANN = [
    ("no text", "T1 A 0 17", "n.ann:1: not a line of brat's"),
    ("an unknown line", f"{CANARY}", "n.ann:1: not a line of brat's"),
    ("offsets that are no numbers", f"T1\tA x 17\t{CANARY}", "n.ann:1: not a line of brat's"),
    ("a negative offset", f"T1\tA -1 17\t{CANARY}", "n.ann:1: not a line of brat's"),
    ("an offset of many digits", f"T1\tA 0 {'9' * 5000}\t{CANARY}", "n.ann:1: no type, or an"),
    ("offsets turned round", f"T1\tA 17 0\t{CANARY}", "n.ann:1: the annotated text does not"),
    ("fragments that overlap", f"T1\tA 0 9;5 17\t{CANARY}", "n.ann:1: the annotated text does not"),
    ("a text in two places", f"\nT1\tA 3 20\t{CANARY}", "n.ann:2: the annotated text does not"),
    ("a text in no place", "T1\tA 0 4\tZwei", "n.ann:1: the annotated text does not"),
    ("offsets outside the text", "T1\tA 90 94\tsingt", "n.ann:1: the annotated text does not"),
    ("fragments elsewhere", "T1\tA 0 2;5 7\tsa ng", "n.ann:1: the annotated text does not"),
    ("an id taken", "T1\tA 36 40\tsang\nT1\tA 36 40\tsang", "n.ann:2: id T1 is taken by line 1"),
    ("a type that is a text", f"T1\t{'x' * 101} 36 40\tsang", "n.ann:1: the type has 101"),
    ("no UTF-8", "\nT1\tA 36 40\tsäng".encode() + b"\xff", "n.ann:2: not UTF-8"),
]
TABLES = [
    ("another version", TSV.replace("3.3", "2"), "n.tsv:1: the first line is not"),
    ("no header", TSV.partition("\n")[2], "n.tsv:1: the first line is not"),
    ("a broken layer", TSV.replace("#T_SP=", "#T_XX="), "n.tsv:2: not the header of a layer"),
    ("a layer twice", TSV.replace("\n\n", "\n#T_SP=c.Med|x\n\n"), "n.tsv:3: a layer has two"),
    ("a feature twice", TSV.replace("|value", "|value|value"), "n.tsv:2: a layer has a feature"),
    ("a layer that is a text", TSV.replace("c.Med", TEXT), "n.tsv: the name of the layer or"),
    ("a feature that is a text", TSV.replace("|value", f"|{TEXT}"), "n.tsv: the name of the layer"),
    ("too few columns", TSV.replace("\tB\n", "\n"), "n.tsv:6: 0 columns, the header has 1"),
    ("too many columns", TSV.replace("\tB\n", f"\tB\t{CANARY}\n"), "n.tsv:6: 2 columns, the"),
    ("no token", TSV + f"{CANARY}\n", "n.tsv:8: neither a token nor a comment"),
    ("an unnumbered token", TSV.replace("1-3\t", "3\t"), "n.tsv:7: neither a token nor a"),
    ("a token elsewhere", TSV.replace("18-35", "17-34"), "n.tsv:6: the token does not stand"),
    ("a token outside", TSV.replace("36-40", "936-940"), "n.tsv:7: the token does not stand"),
    ("a token that is another", TSV.replace("\tsang", "\tsingt"), "n.tsv:7: the token does not"),
    ("a token turned round", TSV.replace("36-40", "40-36"), "n.tsv:7: the token ends before"),
    ("a token before its text", TSV.replace(f"#Text={TEXT}\n", ""), "n.tsv:4: neither a token"),
    ("a sentence without tokens", TSV + f"\n#Text={CANARY}\n", "n.tsv:9: a sentence without"),
    (
        "a sentence on another",
        TSV + "\n#Text=x\n2-1\t5-6\tx\t_\n",
        "n.tsv:9: the sentence does not",
    ),
    (
        "no tokens in the first sentence",
        TSV.replace("#Text=", f"#Text={CANARY}\n\n#Text="),
        "n.tsv:4: a sentence without",
    ),
    ("a far sentence", TSV + "\n#Text=x\n2-1\t99999999-100000000\tx\t_\n", "n.tsv:9: the sentence"),
    ("a gap in a span", TSV.replace("_\n", "A[1]\n"), "n.tsv:7: an annotation changes its"),
    ("a value that changes", TSV.replace("\tB\n", "\tB[1]\n"), "n.tsv:6: an annotation changes"),
    (
        "columns that differ",
        TSV.replace("|value", "|dose|value")
        .replace("_\n", "_\t_\n")
        .replace("A[1]", "A[1]\t*[1]")
        .replace("\tB\n", "\t*[3]\tB\n"),
        "n.tsv:6: the columns of a layer differ",
    ),
    (
        "a second value that changes",
        TSV.replace("|value", "|dose|value")
        .replace("_\n", "_\t_\n")
        .replace("A[1]", f"{CANARY}[1]\tA[1]")
        .replace("\tB\n", "\t5[1]\tA[1]\n"),
        "n.tsv:6: an annotation changes",
    ),
    (
        "an attribute that is a text",
        TSV.replace("|value", f"|{TEXT}|value")
        .replace("_\n", "_\t_\n")
        .replace("A[1]", "*[1]\tA[1]")
        .replace("\tB\n", "\t*\tB\n"),
        "n.tsv: the name of the layer or a feature",
    ),
    ("a type that is a text", TSV.replace("\tB\n", f"\t{'x' * 101}\n"), "n.tsv:6: the type has"),
    (
        "half an emoji",
        TSV.replace("sang\n", "😊\n").replace("36-40\tsang", "36-37\t😊"),
        "n.tsv:7: the token does not stand",
    ),
    ("no UTF-8", TSV.encode() + "#ä\n".encode() + b"\xff", "n.tsv:9: not UTF-8"),
    (
        "chains without links",
        TSV.replace("#T_SP=c.Med|value", "#T_CH=c.L|referenceType"),
        "n.tsv:5: the links of a chain",
    ),
]
XMIS = [
    ("not well-formed", XMI.replace("/>\n<cas:View", ">\n<cas:View"), "n.xmi:7: not well-formed"),
    ("cut short", XMI[:-30], "n.xmi:6: not well-formed"),
    ("empty", "", "n.xmi:1: not well-formed"),
    ("another root", "<ROOT/>", "n.xmi: the root element is not xmi:XMI"),
    ("no encoding", XMI.replace("UTF-8", "x-none"), "n.xmi: the XML's encoding is unknown"),
    ("an external DTD", with_doctype(DTD), "n.xmi: the XML declares a document type"),
    ("an entity bomb", with_doctype(BOMB), "n.xmi: the XML declares a document type"),
    ("an entity of a file", with_doctype(FILE), "n.xmi: the XML declares a document type"),
    ("no text", XMI.replace("sofaString", "x"), "n.xmi: no view with a text"),
    ("an empty text", XMI.replace(f"{TEXT} 😊", ""), "n.xmi: the text is empty"),
    ("an end outside", XMI.replace('"17"', '"99"'), "n.xmi: element 3: begin and end do not"),
    ("an end within an emoji", XMI.replace('"17"', '"42"'), "n.xmi: element 3: begin and end"),
    ("an end before the begin", XMI.replace('"0"', '"18"'), "n.xmi: element 3: begin and end"),
    ("no end", XMI.replace('end="17"', ""), "n.xmi: element 3: an offset is not a whole"),
    ("a begin that is a text", XMI.replace('"0"', f'"{CANARY}"'), "n.xmi: element 3: an offset"),
    (
        "a feature that is a text",
        XMI.replace("value=", f'x{"x" * 200}="y" value='),
        "n.xmi: the name",
    ),
    ("a type that is a text", XMI.replace('"A"', f'"{"x" * 101}"'), "n.xmi: element 3: the type"),
]
JSONS = [
    ("no JSON", cas()[:-9], "n.json: not JSON"),
    ("a key twice", cas()[:-1] + ', "%VIEWS": {}}', "n.json: an object has a key twice"),
    ("nested too deep", cas()[:-1] + ', "x": ' + "[" * 99999, "n.json: JSON nested too deep"),
    ("a list", f"[{cas()}]", "n.json: not a CAS"),
    ("no views", cas(VIEWS=None), "n.json: not a CAS: no %VIEWS"),
    ("views in a list", cas(VIEWS=[]), "n.json: %VIEWS is not an object"),
    ("structures in a text", cas(FEATURE_STRUCTURES=CANARY), "n.json: %FEATURE_STRUCTURES is not"),
    ("a structure that is a text", cas(FEATURE_STRUCTURES=[CANARY]), "n.json: a feature structure"),
    ("types in a list", cas(TYPES=[]), "n.json: %TYPES is not an object"),
    ("no text", cas(FEATURE_STRUCTURES=[]), "n.json: no view with a text"),
    ("no type", structure(**{"%TYPE": ""}), "n.json: a feature structure without"),
    ("a type that is a text", structure(**{"%TYPE": TEXT}), "n.json: the name of the layer or"),
    (
        "a feature that is a text",
        structure(value="A", **{TEXT: "x"}),
        "n.json: the name of the layer",
    ),
    ("an end outside", structure(end=99), "n.json: structure 3: begin and end do not"),
    ("a begin that is a text", structure(begin=CANARY), "n.json: structure 3: an offset is not"),
    ("a begin that is a truth", structure(begin=True), "n.json: structure 3: an offset is not"),
    ("no UTF-8", cas().encode() + b"\xff", "n.json: not UTF-8"),
]
ZIPS = [
    ("a zip bomb", zipped({"a.xmi": b"<a>" + b" " * 2**26}), "n.zip: unpacks to more"),
    ("a zip that lies", claiming(2**31), "n.zip: unpacks to more"),
    ("a member cut short", claiming(10), "n.zip: not a readable zip"),
    ("many members", many(), "n.zip/0.xmi:1: not well-formed"),
    ("an encrypted zip", encrypted(), "n.zip: the zip is encrypted"),
    ("no zip", XMI, "n.zip: not a readable zip"),
    ("nothing in it", zipped({"a.txt": CANARY}), "{path}: no file of format cas-xmi"),
    ("a DTD in a zip", zipped({"../a.xmi": with_doctype(DTD)}), "n.zip/a.xmi: the XML declares"),
    (
        "a DTD in a type system",
        zipped({"a.xmi": XMI, "TypeSystem.xml": f"{DTD}{TYPES.partition('?>')[2]}"}),
        "n.zip/TypeSystem.xml: the XML declares a document type",
    ),
    (
        "another type system",
        zipped({"a.xmi": XMI, "TypeSystem.xml": "<types/>"}),
        "n.zip/TypeSystem.xml: not a type system",
    ),
]
FORMATS = [
    ("n.ann", "brat", ANN),
    ("n.tsv", "webanno-tsv", TABLES),
    ("n.xmi", "cas-xmi", XMIS),
    ("n.json", "cas-json", JSONS),
    ("n.zip", "cas-xmi", ZIPS),
]


@pytest.mark.parametrize(
    ("name", "format_", "content", "begins"),
    [
        pytest.param(name, format_, content, begins, id=f"{name[2:]}-{what}")
        for name, format_, cases in FORMATS
        for what, content, begins in cases
    ],
)
def test_malformed(put: Put, name: str, format_: str, content: str | bytes, begins: str) -> None:
    put("n.txt", TEXT)
    path = put(name, content)
    with pytest.raises(DataError) as caught:
        list(scan(path, format=format_))
    message = str(caught.value)
    assert message.startswith(begins.replace("{path}", str(path)))
    assert "\n" not in message
    assert CANARY not in message
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "content"), [("n.tsv", TSV), ("n.xmi", XMI), ("n.json", cas()), ("n.ann", "")]
)
def test_what_they_are_made_of_is_sound(put: Put, name: str, content: str) -> None:
    put("n.txt", TEXT)
    (document,) = scan(put(name, content))
    assert CANARY in document.text


def test_an_annotation_file_without_its_text(put: Put) -> None:
    with pytest.raises(DataError, match=r"n\.ann: there is no n\.txt beside it"):
        list(scan(put("n.ann", "")))


def test_a_text_that_is_not_utf_8_names_its_line(put: Put) -> None:
    put("n.txt", f"{CANARY} ä\n".encode() + b"\xff")
    with pytest.raises(DataError, match=r"n\.txt:2: not UTF-8"):
        list(scan(put("n.ann", "")))
