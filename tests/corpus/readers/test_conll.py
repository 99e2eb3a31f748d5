from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from medsweep.corpus import Document, read_documents, scan

Put = Callable[[str, str], Path]


def found(document: Document) -> list[tuple[str, str]]:
    return [(document.text[s.start : s.end], s.type) for s in document.spans or ()]


@pytest.mark.parametrize(
    ("tags", "mentions"),
    [
        ("O B-A I-A O", ["b c"]),  # IOB2
        ("O I-A I-A O", ["b c"]),  # IOB1
        ("I-A B-A I-A O", ["a", "b c"]),  # IOB1, neighbours
        ("O B-A E-A S-A", ["b c", "d"]),  # BIOES
        ("U-A B-A I-A L-A", ["a", "b c d"]),  # BILOU
        ("B-A I-B I-B O", ["a", "b c"]),  # a type changes without a B
        ("E-A B-A B-A S-A", ["a", "b", "c", "d"]),
        ("O O O B-A", ["d"]),
    ],
)
def test_schemes(put: Put, tags: str, mentions: list[str]) -> None:
    lines = "".join(f"{w} {t}\n" for w, t in zip("abcd", tags.split(), strict=True))
    (document,) = scan(put("n.conll", lines))
    assert document.text == "a b c d"
    assert [mention for mention, _ in found(document)] == mentions


def test_a_document_is_a_sentence(put: Put) -> None:
    first, second = scan(put("n.iob2", "\n\nHerr\tO\r\nÖz\tB-P\n\n \nok\tO\n\n"))
    assert (first.id, first.text, first.source) == ("n-1", "Herr Öz", "n.iob2:3")
    assert found(first) == [("Öz", "P")]
    assert (second.id, second.spans) == ("n-2", ())


def test_a_document_is_what_stands_between_marks(put: Put) -> None:
    mark = "-DOCSTART- -X- -X- O\n\n"
    path = put("n.conll", f"{mark}a N x I-P\n\nb N x I-P\n\n{mark}c N x O\n")
    first, second = scan(path)
    # IOB1 would join neighbours, but never over a sentence's end.
    assert (first.text, found(first)) == ("a b", [("a", "P"), ("b", "P")])
    assert second.text == "c"


def test_numbered_tokens_with_a_nested_tag(put: Put) -> None:
    lines = "#\thttp://a.example [2020]\n1\tUni\tB-ORG\tO\n2\tTroja\tI-ORG\tB-ORT\n3\t#\tO\tO\n"
    changes: Counter[str] = Counter()
    (document,) = scan(put("n.conll", lines), changes=changes)
    assert (document.text, changes) == ("Uni Troja #", {})
    assert found(document) == [("Uni Troja", "ORG"), ("Troja", "ORT")]


@pytest.mark.parametrize(
    ("lines", "mentions", "left_out"),
    [
        ("1\tUni\tB-ORG\t-\n2\tTroja\tI-ORG\t-\n", ["Uni Troja"], 0),
        ("1\ta\tO\tO\tB-X\n2\tb\tB-T\tO\tO\n", ["b"], 1),
        ("a NN I-NP O\nb NN I-NP B-T\n", ["b"], 1),
        ("a B-T O\nb I-T B-U\n", ["b"], 1),
        ("B O\nO B-T\n", ["O"], 0),
    ],
)
def test_other_columns_of_tags_are_counted(
    put: Put, lines: str, mentions: list[str], left_out: int
) -> None:
    changes: Counter[str] = Counter()
    (document,) = scan(put("n.conll", lines), changes=changes)
    assert [mention for mention, _ in found(document)] == mentions
    assert changes["columns of other tags left out"] == changes.total() == left_out


def test_documents_of_conll_u(put: Put) -> None:
    lines = "# newdoc id = a-1\n# sent_id = 1\n1\ta\tO\n2\tb\tO\n\n1\tc\tB-T\n# newdoc\n1\td\tO\n"
    first, second = scan(put("n.conll", lines))
    assert (first.id, first.text, found(first)) == ("a-1", "a b c", [("c", "T")])
    assert (second.id, second.text) == ("n-2", "d")


def test_a_document_without_a_token_keeps_its_number(put: Put) -> None:
    mark = "-DOCSTART-\tO\n\n"
    changes: Counter[str] = Counter()
    path = put("n.conll", f"{mark}a\tO\n\n{mark}{mark}b\tO\n\n{mark}")
    assert [(d.id, d.text) for d in scan(path, changes=changes)] == [("n-1", "a"), ("n-3", "b")]
    assert changes == {"documents without a token left out": 2}


def test_a_number_as_only_word_is_a_word(put: Put) -> None:
    path = put("n.conll", "a x I-NP O\nb x I-NP O\n\n1 x I-NP B-N\n")
    assert [d.text for d in scan(path)] == ["a b", "1"]


def test_a_hash_with_a_tag_is_a_token(put: Put) -> None:
    assert [d.text for d in scan(put("n.conll", "# a note\n# O\nthree O\n"))] == ["# three"]


def test_a_token_with_a_no_break_space(put: Put) -> None:
    (document,) = scan(put("n.conll", "5\u00a0mg B-Dose\ntgl. O\n"))
    assert found(document) == [("5\u00a0mg", "Dose")]


def test_one_column_is_unannotated(put: Put) -> None:
    assert [(d.text, d.spans) for d in scan(put("n.conll", "a\nb\n"))] == [("a b", None)]


def test_tags_without_a_type(put: Put) -> None:
    (document,) = scan(put("n.tsv", "a\tB\nb\tI\nc\tO\n"))
    assert found(document) == [("a b", "ENTITY")]


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "sentences", "mentions"),
    [("train", 5424, 5134), ("devel", 923, 787), ("test", 940, 960)],
)
def test_ncbi_disease(shared: Path, name: str, sentences: int, mentions: int) -> None:
    path = shared / "ner_en_ncbi_disease_iob" / f"{name}.tsv"
    documents = read_documents(path, kind="ner")
    assert len(documents) == sentences
    assert sum(len(d.spans or ()) for d in documents) == mentions


@pytest.mark.shared_data
def test_small_files_of_three_layouts(shared: Path) -> None:
    folder = shared / "fmt_conll_small"
    (of_2002,) = scan(folder / "2002" / "ner2002_test.conll")
    assert ("Real Madrid", "ORG") in found(of_2002)
    (of_2003,) = scan(folder / "2003" / "en-orig.conll")
    assert found(of_2003) == [("U.N.", "ORG"), ("Ekeus", "PER"), ("Baghdad", "LOC")]
    (of_germeval,) = scan(folder / "2002" / "germeval2014_test.conll")
    assert of_germeval.text.startswith("Aufgrund seiner Initiative")
    assert found(of_germeval)[-2:] == [
        ("Troia", "LOC"),  # nested
        ("Troia - Traum und Wirklichkeit", "OTH"),
    ]
