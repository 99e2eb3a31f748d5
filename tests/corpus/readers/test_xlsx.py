import io
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsweep.corpus import Span, scan
from medsweep.errors import DataError

openpyxl = pytest.importorskip("openpyxl")


def write(path: Path, *rows: list[Any], sheets: int = 1) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for _ in range(sheets - 1):
        book.create_sheet()
    book.save(path)
    return path


def edited(path: Path, edit: Callable[[str, bytes], bytes], extra: dict[str, bytes]) -> Path:
    """The workbook with other XML in it."""
    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, edit(name, old.read(name)))
        for name, content in extra.items():
            new.writestr(name, content)
    path.write_bytes(made.getvalue())
    return path


def test_rows(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.xlsx",
        ["text", "label", None, "entities", "group"],
        ["ASS", 1, "x", '[{"start": 0, "end": 3, "type": "Drug"}]', "p"],
        [],
        ["b_x000D_c", None, None, None, 2.5e3],
        sheets=2,
    )
    changes: Counter[str] = Counter()
    first, second = scan(path, changes=changes)
    assert (first.id, first.label, first.group) == ("a-2", "1", "p")
    assert first.spans == (Span(0, 3, "Drug"),)
    assert (second.id, second.text, second.label, second.group) == ("a-4", "b\rc", None, "2500")
    assert changes["other sheets left out"] == 1
    assert changes["texts with characters that Excel escaped"] == 1


def test_a_text_that_fills_its_cell_is_counted(tmp_path: Path) -> None:
    changes: Counter[str] = Counter()
    list(scan(write(tmp_path / "a.xlsx", ["text"], ["a" * 32767]), changes=changes))
    assert changes == {"texts as long as a cell can be, perhaps cut": 1}


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    path = edited(
        write(tmp_path / "a.xlsx", ["text"], ["a"]), lambda _, c: c, {"xl/x.xml": b" " * 2**26}
    )
    with pytest.raises(DataError, match=r"a\.xlsx: unpacks to more"):
        list(scan(path))


def test_an_entity_bomb_is_refused(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'

    def edit(name: str, content: bytes) -> bytes:
        start = content.index(b"<", 1) if content.startswith(b"<?") else 0
        return content[:start] + bomb + content[start:] if "sheet1" in name else content

    path = edited(write(tmp_path / "a.xlsx", ["text"], ["a"]), edit, {})
    with pytest.raises(DataError, match="declares a document type"):
        list(scan(path))


def test_macros_are_refused(tmp_path: Path) -> None:
    path = edited(
        write(tmp_path / "a.xlsx", ["text"], ["a"]), lambda _, c: c, {"xl/vbaProject.bin": b"x"}
    )
    with pytest.raises(DataError, match="holds macros"):
        list(scan(path))


@pytest.mark.parametrize(
    ("old", "new"), [(b'<row r="2"', b'<row r="99999999999"'), (b'r="A2"', b'r="ZZZ2"')]
)
def test_cells_far_away_do_not_take_forever(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = edited(write(tmp_path / "a.xlsx", ["text"], ["a"]), lambda _, c: c.replace(old, new), {})
    with pytest.raises(DataError, match="more rows or columns than a sheet of texts has"):
        list(scan(path))


def test_without_openpyxl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.xlsx", ["text"], ["a"])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match=r"pip install 'medsweep\[formats\]'"):
        list(scan(path))
