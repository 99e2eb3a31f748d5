from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medsweep.corpus import Document, Span, read_documents, scan
from medsweep.corpus._base import Changes
from medsweep.corpus.readers._spans import tidy
from medsweep.errors import DataError

from .annotations import ANN, SPANS, TEXT, found

Put = Callable[[str, str | bytes], Path]


def pair(put: Put, text: str | bytes, ann: str, name: str = "n") -> Path:
    put(f"{name}.txt", text)
    return put(f"{name}.ann", ann)


def test_a_pair(put: Put) -> None:
    changes: Counter[str] = Counter()
    (document,) = scan(pair(put, TEXT, ANN), changes=changes)
    assert (document.id, document.text, document.spans) == ("n", TEXT, SPANS)
    assert changes == {"relations left out": 1}


def test_what_is_left_out_is_counted(put: Put) -> None:
    lines = "T1\tA 0 4\tHerr\nE1\tA:T1\nA1\tNeg E1\nM1\tSpec E1\nN1\tReference T1 X:1\tx\n"
    lines += "#1\tAnnotatorNotes T1\tx\n*\tEquiv T1 T1\n\nR1\tX Arg1:T1 Arg2:T1\n"
    changes: Counter[str] = Counter()
    (document,) = scan(pair(put, TEXT, lines), changes=changes)
    assert document.spans == (Span(0, 4, "A", attributes=(("Reference", "X:1"),)),)
    assert changes == {
        "events left out (their triggers are kept)": 1,
        "attributes left out": 2,
        "notes left out": 1,
        "equivalences left out": 1,
        "relations left out": 1,
    }


def test_attributes_are_kept_where_they_are_asked_for(put: Put) -> None:
    lines = "A1\tNegated T1\nT1\tA 0 4\tHerr\nA2\tDose T1 5_mg\nA3\tDose T1 9_mg\nA4\tDose\n"
    changes: Counter[str] = Counter()
    path = pair(put, TEXT, lines)
    (document,) = scan(path, changes=changes)
    assert document.spans == (Span(0, 4, "A", attributes=(("Dose", "5_mg"), ("Negated", "true"))),)
    assert changes == {"attributes left out": 2}
    (document,) = scan(path, changes=changes, attributes=["Dose"])
    assert document.spans == (Span(0, 4, "A", attributes=(("Dose", "5_mg"),)),)
    assert changes == {"attributes left out": 5}
    (document,) = read_documents(path, kind="ner")
    assert document.spans == (Span(0, 4, "A"),)


def test_discontinuous_nested_and_equal_mentions(put: Put) -> None:
    text = "linker und rechter Arm"
    lines = "T1\tB 0 6;19 22\tlinker Arm\nT2\tB 11 22\trechter Arm\nT3\tB 11 22\trechter Arm\n"
    changes: Counter[str] = Counter()
    (document,) = scan(pair(put, text, lines), changes=changes)
    assert document.spans == (Span(0, 22, "B", ((0, 6), (19, 22))), Span(11, 22, "B"))
    assert changes == {"spans with the same place and type joined": 1}


def test_a_mention_over_a_line_break(put: Put) -> None:
    (document,) = scan(pair(put, "rechter\nArm", "T1\tB 0 11\trechter Arm"))
    assert found(document) == [("rechter\nArm", "B")]


def test_a_mention_that_brat_tore_at_a_line_break(put: Put) -> None:
    changes: Counter[str] = Counter()
    path = pair(put, "ein rechter\r\n Arm", "T1\tB 4 11;14 17\trechter Arm")
    (document,) = scan(path, changes=changes)
    assert document.spans == (Span(4, 17, "B"),)
    assert changes == {"mentions in pieces over white space joined": 1}


@pytest.mark.parametrize(("start", "moved"), [(5, 0), (3, 1)])
def test_offsets_in_a_text_with_cr(put: Put, start: int, moved: int) -> None:
    """brat counts CR; tools that read text with LF only do not."""
    changes: Counter[str] = Counter()
    path = pair(put, "a\r\n\r\nArm Arm", f"T1\tB {start} {start + 3}\tArm")
    (document,) = scan(path, changes=changes)
    assert document.spans == (Span(5, 8, "B"),)
    assert changes["offsets that do not count CR moved"] == moved


def test_how_offsets_count_holds_for_a_whole_file(put: Put) -> None:
    """ "0" stands at both places that could be meant."""
    changes: Counter[str] = Counter()
    path = pair(put, "Dosis\r\n100 mg\r\n", "T1\tN 6 9\t100\nT2\tZ 8 9\t0\nT3\tD 0 5\tDosis\n")
    (document,) = scan(path, changes=changes)
    assert document.spans == (Span(0, 5, "D"), Span(7, 10, "N"), Span(9, 10, "Z"))
    assert changes == {"offsets that do not count CR moved": 2}
    path = pair(put, "Dosis\r\n100 mg\r\n", "T1\tN 7 10\t100\nT2\tZ 8 9\t0\n")
    (document,) = scan(path, changes=changes)
    assert document.spans == (Span(7, 10, "N"), Span(8, 9, "Z"))
    assert changes.total() == 2


def test_offsets_that_do_not_count_a_byte_order_mark(put: Put) -> None:
    changes: Counter[str] = Counter()
    path = pair(put, "\ufeff100\r\n00", "T1\tN 0 3\t100\nT2\tZ 1 2\t0\n")
    (document,) = scan(path, changes=changes)
    assert document.spans == (Span(0, 3, "N"), Span(1, 2, "Z"))
    path = pair(put, "\ufeff100\r\n00", "T1\tN 0 3\t100\nT2\tZ 4 5\t0\nT3\tM 4 6\t00\n")
    (document,) = scan(path, changes=changes)
    assert document.spans == (Span(0, 3, "N"), Span(5, 6, "Z"), Span(5, 7, "M"))
    assert changes == {
        "byte order marks left out": 2,
        "offsets that do not count the byte order mark moved": 2,
        "offsets that count neither CR nor the byte order mark moved": 3,
    }


def test_a_byte_order_mark_counts_as_brat_counts_it(put: Put) -> None:
    changes: Counter[str] = Counter()
    path = pair(put, "\ufeffArm und Arm", "T1\tB 1 4\tArm\nT2\tB 1 4;9 12\tArm Arm\n")
    (document,) = scan(path, changes=changes)
    assert document.text == "Arm und Arm"
    assert document.spans == (Span(0, 3, "B"), Span(0, 11, "B", ((0, 3), (8, 11))))
    assert changes == {"byte order marks left out": 1}


def test_a_text_that_stands_once_is_found_again(put: Put) -> None:
    changes: Counter[str] = Counter()
    (document,) = scan(pair(put, "Der Arm.", "T1\tB 5 8\tArm"), changes=changes)
    assert found(document) == [("Arm", "B")]
    assert changes == {"mentions moved to where their text is": 1}


def test_white_space_alone_is_no_difference(put: Put) -> None:
    changes: Counter[str] = Counter()
    (document,) = scan(pair(put, "100 mg", "T1\tD 0 3;4 6\t100mg"), changes=changes)
    assert document.spans == (Span(0, 6, "D"),)
    assert changes == {"mentions in pieces over white space joined": 1}


def test_an_empty_mention_is_left_out(put: Put) -> None:
    changes: Counter[str] = Counter()
    (document,) = scan(pair(put, "Arm", "T1\tB 1 1\t"), changes=changes)
    assert (document.spans, changes.total()) == ((), 1)


def test_an_empty_file_is_annotated_and_a_missing_one_is_not(put: Put, tmp_path: Path) -> None:
    pair(put, "a", "", "a")
    put("b.txt", "b")
    assert [(d.id, d.spans) for d in scan(tmp_path, format="brat")] == [("a", ()), ("b", None)]
    # Where the format is inferred, a .txt may be anything.
    changes: Counter[str] = Counter()
    assert [d.id for d in read_documents(tmp_path, kind="ner", changes=changes)] == ["a"]
    assert changes == {".txt files passed over: name the format to read them": 1}
    assert [d.spans for d in scan(tmp_path / "b.txt", format="brat")] == [None]


LETTERS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=LETTERS.filter(lambda t: t.replace("\ufeff", "").strip()), data=st.data())
def test_round_trip(put: Put, text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.sets(st.integers(0, len(text)), max_size=6).map(sorted))
    pieces = [(a, b) for a, b in pairwise(cuts)][::2]
    offsets = ";".join(f"{a} {b}" for a, b in pieces)
    surface = " ".join(text[a:b] for a, b in pieces)
    path = pair(put, text, f"T1\tX {offsets}\t{surface}\n" if pieces else "")
    (document,) = scan(path)
    fragments = tuple(pieces) if len(pieces) > 1 else ()
    made = (Span(pieces[0][0], pieces[-1][1], "X", fragments),) if pieces else ()
    expected = tidy(Document("n", text, spans=made), Changes())
    assert (document.text, document.spans) == (expected.text, expected.spans)


@pytest.mark.shared_data
def test_small_corpora(shared: Path) -> None:
    without_text, spans, changes = [], 0, Counter[str]()
    for path in sorted((shared / "fmt_brat_small").rglob("*.ann")):
        try:
            spans += sum(len(d.spans or ()) for d in scan(path, changes=changes))
        except DataError as error:
            without_text.append(str(error))
    # DKPro's *-ref.ann are expected outputs of its writer and have no text.
    assert len(without_text) == 5
    assert all("-ref" in e and "beside it" in e for e in without_text)
    assert spans == 134
    assert not any("moved" in c for c in changes)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("split", "documents", "mentions", "different"),
    # train has a mention of brat's that ends one letter before its word does ("disorde"); IOB2
    # tags whole words.
    [("train", 300, 2780, 1), ("devel", 100, 787, 0), ("test", 100, 960, 0)],
)
def test_ncbi_disease_agrees_with_iob2(
    shared: Path, split: str, documents: int, mentions: int, different: int
) -> None:
    """IOB2 has neither documents nor white space: places are compared in the text without it."""
    iob, places = "", set[tuple[int, int]]()
    for sentence in scan(shared / "ner_en_ncbi_disease_iob" / f"{split}.tsv"):
        places |= unspaced(sentence.text, sentence.spans or (), len(iob))
        iob += "".join(sentence.text.split())
    brat = list(scan(shared / "ner_en_ncbi_disease_brat" / split))
    assert (len(brat), sum(len(d.spans or ()) for d in brat)) == (documents, mentions)
    agreed = 0
    for document in brat:
        text = "".join(document.text.split())
        at = iob.index(text)
        here = {p for p in places if at <= p[0] < at + len(text)}
        theirs = unspaced(document.text, document.spans or (), at)
        assert len(here) == len(theirs)
        agreed += len(here & theirs)
    assert mentions - agreed == different


def unspaced(text: str, spans: tuple[Span, ...], at: int) -> set[tuple[int, int]]:
    def place(offset: int) -> int:
        return at + len("".join(text[:offset].split()))

    return {(place(s.start), place(s.end)) for s in spans}
