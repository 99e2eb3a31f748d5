import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from medsweep.corpus import read_documents, scan
from medsweep.errors import DataError

Put = Callable[[str, str | bytes], Path]

XML = """\n  <?xml version="1.0" encoding="UTF-8"?>
<ROOT>
<RECORD ID="641"><SMOKING STATUS="CURRENT SMOKER"></SMOKING><TEXT>
Raucht <B>seit <I>20</I></B> Jahren &amp; mehr
</TEXT></RECORD>
<RECORD ID="643"><SMOKING STATUS="NON-SMOKER"/><TEXT>Nie geraucht</TEXT></RECORD>
</ROOT>"""
UNLABELLED = '<ROOT><RECORD ID="1"><TEXT>Keine Angabe</TEXT></RECORD></ROOT>'


def zipped(members: dict[str, str | bytes]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return raw.getvalue()


def test_space_before_the_declaration_and_tags_in_the_text(put: Put) -> None:
    first, second = read_documents(put("s.xml", XML), kind="classification")
    assert (first.id, first.label) == ("641", "CURRENT SMOKER")
    assert first.text == "\nRaucht seit 20 Jahren & mehr\n"
    assert (second.label, second.source) == ("NON-SMOKER", "s.xml: record 2")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(put: Put, encoding: str) -> None:
    xml = XML.lstrip().replace("UTF-8", "UTF-16" if encoding == "utf-16" else "UTF-8")
    documents = scan(put("s.xml", xml.encode(encoding)), format="i2b2-smoking")
    assert [d.id for d in documents] == ["641", "643"]


def test_a_zip(put: Put) -> None:
    path = put("s.zip", zipped({"a/s.xml": XML, "__MACOSX/a/._s.xml": "x", "liesmich.txt": "x"}))
    assert [d.source for d in scan(path)] == [f"s.zip/a/s.xml: record {n}" for n in (1, 2)]


def test_unlabelled_records_need_the_format_named(put: Put) -> None:
    path = put("s.xml", UNLABELLED)
    (document,) = read_documents(
        path, kind="classification", format="i2b2-smoking", unlabelled=True
    )
    assert document.label is None
    with pytest.raises(DataError, match="format cannot be told"):
        list(scan(path))


def test_a_folder_of_unlabelled_records(put: Put, tmp_path: Path) -> None:
    put("a.xml", UNLABELLED)
    put("b.xml", UNLABELLED.replace('"1"', '"2"'))
    assert [d.id for d in scan(tmp_path, format="i2b2-smoking")] == ["1", "2"]


def test_a_zip_bomb_is_not_unpacked(put: Put) -> None:
    path = put("s.zip", zipped({"s.xml": b"<ROOT>" + b" " * 2**26}))
    with pytest.raises(DataError, match=r"s\.zip: unpacks to more"):
        list(scan(path))


def test_an_entity_bomb_is_refused(put: Put) -> None:
    bomb = '<!DOCTYPE ROOT [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>' + XML.split("?>")[1]
    with pytest.raises(DataError, match="declares a document type"):
        list(scan(put("s.xml", bomb), format="i2b2-smoking"))


def test_the_line_of_broken_xml_counts_what_stands_before_the_declaration(put: Put) -> None:
    path = put("s.xml", XML.replace("<TEXT>Nie", "<TEXT><Nie"))
    with pytest.raises(DataError, match=r"s\.xml:7: not well-formed"):
        list(scan(path))
