"""What is written reads back the same, or the difference was counted."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsweep.corpus import Document, Span, scan
from medsweep.corpus._base import Changes
from medsweep.corpus.read import TORN
from medsweep.corpus.readers._spans import tidy
from medsweep.corpus.writers import WRITERS, writer_for
from medsweep.corpus.writers.webanno_tsv import LAYER
from medsweep.errors import ConfigError

FOLDERS = ("brat", "webanno-tsv")
# Letters that take one to four bytes, white space of several kinds, what formats use as marks.
TEXTS = st.text(
    st.sampled_from("aBß€😀e\u0301 \t\n\r\u00a0\u2028\u200b\ufeff#\"',;|-\\"),
    min_size=1,
    max_size=40,
).filter(lambda t: t.strip("\u200b\ufeff \t\n\r\u00a0\u2028") != "")
NAMES = st.text(st.sampled_from("aBß1 -_./#\"',;"), min_size=1, max_size=8).filter(
    lambda n: n == n.strip() != ""
)


@st.composite
def span(draw: st.DrawFn, text: str) -> Span:
    borders = st.integers(0, len(text))
    a, b, *rest = sorted(draw(st.sets(borders, min_size=2, max_size=4)))
    type_ = draw(NAMES)
    fields = draw(st.dictionaries(NAMES, NAMES, max_size=2))
    # Readers put single spaces into values.
    attributes = tuple(sorted((f, " ".join(v.split())) for f, v in fields.items()))
    if len(rest) == 2:
        return Span(a, rest[1], type_, ((a, b), (rest[0], rest[1])), attributes)
    return Span(a, b, type_, attributes=attributes)


@st.composite
def corpora(draw: st.DrawFn) -> list[Document]:
    """As readers give them."""
    documents = []
    for id_ in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        text = draw(TEXTS)
        spans = None if len(text) < 2 else draw(st.none() | st.sets(span(text), max_size=4))
        label, group = draw(st.none() | NAMES), draw(st.none() | NAMES)
        gold = None if spans is None else tuple(sorted(spans))
        labels = draw(st.none() | st.sets(NAMES, max_size=3))
        several = None if labels is None else tuple(sorted(labels))
        made = Document(id_, text, label=label, spans=gold, group=group, labels=several)
        documents.append(tidy(made, Changes()))
    return documents


def there_and_back(documents: list[Document], name: str) -> tuple[list[Document], Counter[str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("out" if name in FOLDERS else f"out.{name}")
        changes: Counter[str] = Counter()
        WRITERS[name].write(documents, path, changes)
        read: Counter[str] = Counter()
        back = list(scan(path, format=name if name in FOLDERS else None, changes=read))
        if name == "webanno-tsv":
            del read[f"documents read from layer {LAYER}.value"]
            # A file without a layer that others have has no mention.
            del read[f"documents without layer {LAYER}"]
            indented = sum(d.text[0].isspace() for d in documents)
            assert read.pop("gaps between sentences filled with line breaks", 0) == indented
        # Mentions of these corpora end anywhere, within words, too.
        read.pop(TORN, None)
        assert read == {}, "what was written has to be as the reader wants it"
        return back, changes


@pytest.mark.parametrize("name", ["jsonl", "csv", "tsv"])
@given(documents=corpora())
@settings(deadline=None, max_examples=60)
def test_tables_hold_all(name: str, documents: list[Document]) -> None:
    back, changes = there_and_back(documents, name)
    assert back == documents
    assert changes == {}


@pytest.mark.parametrize("name", ["brat", "conll", "webanno-tsv"])
@given(documents=corpora())
@settings(deadline=None, max_examples=150)
def test_formats_of_mentions_count_what_they_cannot_hold(
    name: str, documents: list[Document]
) -> None:
    back, changes = there_and_back(documents, name)
    assert len(back) == len(documents)
    if not changes:
        assert sorted(back, key=lambda d: d.id) == sorted(documents, key=lambda d: d.id)
    # Written again, nothing is left that had to be changed, but ids by number.
    again, more = there_and_back(back, name)
    assert [d.spans for d in again] == [d.spans for d in back]
    assert {k for k in more if "ids" not in k} == set()


@given(
    st.lists(
        st.lists(st.sampled_from(["ASS", "tgl.", "Öl", "-DOCSTART", "#", "1"]), min_size=1),
        min_size=1,
        max_size=3,
    ),
    st.data(),
)
@settings(deadline=None, max_examples=60)
def test_conll_holds_words_with_single_spaces(texts: list[list[str]], data: st.DataObject) -> None:
    documents = []
    for number, words in enumerate(texts, 1):
        text, spans, position = " ".join(words), [], 0
        for word in words:
            if data.draw(st.booleans()):
                spans.append(Span(position, position + len(word), "Drug"))
            position += len(word) + 1
        documents.append(Document(f"out-{number}", text, spans=tuple(spans)))
    assert there_and_back(documents, "conll") == (documents, {})


@given(corpora())
@settings(deadline=None, max_examples=60)
def test_brat_holds_texts_and_mentions_as_they_are(documents: list[Document]) -> None:
    bare = [
        Document(
            f"d{n}",
            d.text.replace("\ufeff", ""),
            spans=() if "\ufeff" in d.text else _one_word(d.spans),
        )
        for n, d in enumerate(documents)
    ]
    assert there_and_back(bare, "brat") == (bare, {})


@given(corpora())
@settings(deadline=None, max_examples=150)
def test_webanno_holds_visible_mentions_and_their_attributes(documents: list[Document]) -> None:
    whole = []
    for number, d in enumerate(documents):
        text = d.text.lstrip()
        # Of any words and parts of words, stacked where several end up in one place.
        spans = {
            Span(s.start, s.end, s.type, (), tuple(zip(("dose", "negated"), values, strict=False)))
            for s in d.spans or ()
            if s.end <= len(text)
            for values in [[v for _, v in s.attributes], ["a->b"]]
        }
        gold = tuple(sorted(spans))
        whole.append(tidy(Document(f"d{number}", text, spans=gold), Changes()))
    assert there_and_back(whole, "webanno-tsv") == (whole, {})


def _one_word(spans: tuple[Span, ...] | None) -> tuple[Span, ...] | None:
    if spans is None:
        return None
    fields = (("Dose", "5_mg"), ("Negated", "true"))
    return tuple(sorted({Span(s.start, s.end, "Drug", s.fragments, fields) for s in spans}))


def test_what_conll_cannot_hold_by_kind(tmp_path: Path) -> None:
    text = "Leber-  und Nierenschaden\nunter ASS"
    spans = (
        Span(0, 25, "Sign", ((0, 5), (18, 25))),
        Span(12, 25, "Sign"),
        Span(31, 35, "Drug"),
    )
    changes: Counter[str] = Counter()
    documents = [Document("1", text, label="x", spans=spans), Document("2", "b", group="p")]
    WRITERS["conll"].write(documents, tmp_path / "o.conll", changes)
    assert changes == {
        "ids replaced by numbers": 2,
        "labels left out": 1,
        "groups left out": 1,
        "unannotated documents written as without a mention": 1,
        "mentions in several pieces joined to one": 1,
        "mentions left out: another one has their tokens": 1,
        "white space at the edges of mentions left out": 1,
        "texts whose white space was changed": 1,
    }
    assert (tmp_path / "o.conll").read_text() == (
        "-DOCSTART-\tO\n\nLeber-\tB-Sign\nund\tI-Sign\nNierenschaden\tI-Sign\n\n"
        "unter\tO\nASS\tB-Drug\n\n-DOCSTART-\tO\n\nb\tO\n\n"
    )


def test_webanno_as_inception_writes_it(tmp_path: Path) -> None:
    text = " 😊 Öz_1\nASS 100\tmg.\r\n\nb"
    spans = (
        Span(0, 5, "NAME"),
        Span(8, 11, "DRUG", attributes=(("dose in", "5 mg"), ("value", "x|y"))),
        Span(8, 18, "DOSE", ((8, 11), (16, 18))),
        Span(9, 10, "S"),
        Span(11, 12, "S"),
        Span(16, 18, "UNIT"),
    )
    changes: Counter[str] = Counter()
    documents = [Document("n", text, spans=spans), Document("m", "b", label="x", group="p")]
    WRITERS["webanno-tsv"].write(documents, tmp_path / "o", changes)
    assert changes == {
        "labels left out": 1,
        "groups left out": 1,
        "attributes renamed: their field cannot name a feature": 2,
        "texts whose first white space became line breaks": 1,
        "white space at the edges of mentions left out": 1,
        "mentions in several pieces joined to one": 1,
        "mentions left out: white space only": 1,
    }
    written = (tmp_path / "o" / "n.tsv").read_text(encoding="utf-8")
    assert written.splitlines() == [
        "#FORMAT=WebAnno TSV 3.3",
        "#T_SP=webanno.custom.Mention|dose_in|value_|value",
        "",
        "",
        "#Text=😊 Öz_1\\n",
        "1-1\t1-3\t😊\t*[1]\t*[1]\tNAME[1]\t",
        "1-2\t4-8\tÖz_1\t_\t_\t_\t",
        "1-2.1\t4-6\tÖz\t*[1]\t*[1]\tNAME[1]\t",
        "",
        "#Text=ASS 100\\tmg.\\r\\n\\n",
        "2-1\t9-12\tASS\t5 mg[2]|*[3]\tx\\|y[2]|*[3]\tDRUG[2]|DOSE[3]\t",
        "2-1.1\t10-11\tS\t*\t*\tS\t",
        "2-2\t13-16\t100\t*[3]\t*[3]\tDOSE[3]\t",
        "2-3\t17-20\tmg.\t_\t_\t_\t",
        "2-3.1\t17-19\tmg\t*[3]|*[4]\t*[3]|*[4]\tDOSE[3]|UNIT[4]\t",
        "",
        "#Text=b",
        "3-1\t23-24\tb\t_\t_\t_\t",
    ]
    assert (tmp_path / "o" / "m.tsv").read_text(encoding="utf-8") == (
        "#FORMAT=WebAnno TSV 3.3\n\n\n#Text=b\n1-1\t0-1\tb\t\n"
    )
    with pytest.raises(ConfigError, match="webanno-tsv is written as a folder"):
        WRITERS["webanno-tsv"].write(documents, tmp_path / "o", changes)


def test_brat_names_files_safely_and_writes_over_nothing(tmp_path: Path) -> None:
    changes: Counter[str] = Counter()
    documents = [Document(i, "a", spans=()) for i in ("../x", "A", "a", ".b", "document-0")]
    WRITERS["brat"].write(documents, tmp_path / "o", changes)
    names = {p.name for p in (tmp_path / "o").glob("*.txt")}
    assert names == {
        f"{n}.txt" for n in ("document-1", "A", "document-2", "document-3", "document-0")
    }
    assert changes == {"ids replaced that cannot be file names": 3}
    assert [p.name for p in tmp_path.iterdir()] == ["o"]
    with pytest.raises(ConfigError, match="something of that name"):
        WRITERS["brat"].write(documents, tmp_path / "o", changes)


def test_brat_counts_what_its_names_of_one_word_make_equal(tmp_path: Path) -> None:
    fields = (("d e", "x"), ("d_e", "y"))
    spans = (Span(0, 3, "a b"), Span(0, 3, "a_b"), Span(0, 3, "c", attributes=fields))
    changes: Counter[str] = Counter()
    WRITERS["brat"].write([Document("n", "ASS", spans=spans)], tmp_path / "o", changes)
    assert changes == {
        "mentions whose type was written with _ for spaces": 1,
        "mentions that became equal joined": 1,
        "attributes left out: another one has their name": 1,
    }
    (back,) = scan(tmp_path / "o")
    assert back.spans == (Span(0, 3, "a_b"), Span(0, 3, "c", attributes=(("d_e", "y"),)))


def test_the_ending_or_the_name_tells_the_format() -> None:
    assert writer_for(Path("a.TSV"), None).name == "tsv"
    assert writer_for(Path("a.txt"), "conll").name == "conll"
    with pytest.raises(ConfigError, match="the ending does not tell"):
        writer_for(Path("folder"), None)
    with pytest.raises(ConfigError, match="no format 'xlsx' to write"):
        writer_for(Path("a.jsonl"), "xlsx")
