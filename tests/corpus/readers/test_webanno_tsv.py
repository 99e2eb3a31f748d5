import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medsweep.corpus import Document, Span, scan
from medsweep.errors import DataError

from .annotations import SPANS, TEXT, TSV, found

Put = Callable[[str, str | bytes], Path]


def tsv(header: str, *rows: str, text: str = "Arm links") -> str:
    return f"#FORMAT=WebAnno TSV 3.2\n{header}\n\n\n#Text={text}\n" + "\n".join(rows) + "\n"


def test_a_file(put: Put) -> None:
    changes: Counter[str] = Counter()
    (document,) = scan(put("n.tsv", TSV), changes=changes)
    assert (document.id, document.text, document.spans) == ("n", TEXT, SPANS)
    assert changes == {
        "documents read from layer webanno.custom.Med.value": 1,
        "gaps between sentences filled with line breaks": 1,
        "relations left out": 1,
    }


def test_another_feature(put: Put) -> None:
    changes: Counter[str] = Counter()
    (document,) = scan(put("n.tsv", TSV), layer="Med.note", changes=changes)
    assert [s.type for s in document.spans or ()] == ["Med", "Med", "x"]
    assert changes["spans without note read as Med"] == 2
    assert [dict(s.attributes)["value"] for s in document.spans or ()] == ["NAME", "DRUG", "DOSE"]


def test_other_features_are_attributes(put: Put) -> None:
    header = "#T_SP=c.Med|dose|negated|value"
    rows = ["1-1\t0-3\tArm\t*[1]|5  mg[2]\tfalse[1]|*[2]\tA[1]|A[2]\t"]
    rows += ["1-2\t4-9\tlinks\t*[1]\tfalse[1]\tA[1]\t"]
    changes: Counter[str] = Counter()
    path = put("n.tsv", tsv(header, *rows))
    (document,) = scan(path, changes=changes)
    assert document.spans == (
        Span(0, 3, "A", attributes=(("dose", "5 mg"),)),
        Span(0, 9, "A", attributes=(("negated", "false"),)),
    )
    assert "attributes left out" not in changes
    (document,) = scan(path, attributes=["dose"], changes=changes)
    assert document.spans == (Span(0, 3, "A", attributes=(("dose", "5 mg"),)), Span(0, 9, "A"))
    assert changes["attributes left out"] == 1


def test_mentions_that_only_attributes_told_apart_are_joined(put: Put) -> None:
    row = "1-1\t0-3\tArm\t5 mg[1]|9 mg[2]\tA[1]|A[2]\t"
    path = put("n.tsv", tsv("#T_SP=c.Med|dose|value", row, text="Arm"))
    assert [len(d.spans or ()) for d in scan(path)] == [2]
    changes: Counter[str] = Counter()
    (document,) = scan(path, attributes=(), changes=changes)
    assert document.spans == (Span(0, 3, "A"),)
    assert changes["attributes left out"] == 2
    assert changes["spans with the same place and type joined"] == 1


@pytest.mark.parametrize("layer", ["Med", "webanno.custom.Med", "Med.value"])
def test_a_layer_by_its_names(put: Put, layer: str) -> None:
    (document,) = scan(put("n.tsv", TSV), layer=layer)
    assert document.spans == SPANS


def test_a_layer_that_does_not_occur(put: Put) -> None:
    changes: Counter[str] = Counter()
    (document,) = scan(put("n.tsv", TSV), layer="Proc", changes=changes)
    assert document.spans == ()
    assert changes["documents without layer Proc"] == 1
    assert changes["mentions of other layers left out"] == 3


def test_several_layers_have_to_be_named(put: Put) -> None:
    header = "#T_SP=webanno.custom.A|\n#T_SP=webanno.custom.B|x|y"
    path = put("n.tsv", tsv(header, "1-1\t0-3\tArm\t*\t_\t_\t", "1-2\t4-9\tlinks\t_\tu\tv\t"))
    with pytest.raises(DataError, match=r"webanno\.custom\.A, webanno\.custom\.B"):
        list(scan(path))
    assert [found(d) for d in scan(path, layer="A")] == [[("Arm", "A")]]
    assert [found(d) for d in scan(path, layer="B.y")] == [[("links", "v")]]
    with pytest.raises(DataError, match=r"several features \(x, y\)"):
        list(scan(path, layer="B"))
    with pytest.raises(DataError, match=r"no feature z \(x, y\)"):
        list(scan(path, layer="B.z"))


def test_mentions_of_other_layers_are_counted(put: Put) -> None:
    header = "#T_SP=webanno.custom.A|\n#T_SP=webanno.custom.B|x|y\n#T_CH=c.Link|r|t"
    rows = ["1-1\t0-3\tArm\t*\t*[1]|*[2]\tu[1]|u[2]\tis->1-1\tX[1]\t"]
    rows += ["1-2\t4-9\tlinks\t*\t*[1]\tu[1]\tis->1-1|*->2-1\tX[1]|*[2]\t"]
    path = put("n.tsv", tsv(header, *rows))
    for layer, others in (("A", 2 + 2), ("B.y", 2 + 2), ("Link.t", 2 + 2), ("C", 2 + 2 + 2)):
        changes: Counter[str] = Counter()
        list(scan(path, layer=layer, changes=changes))
        assert changes["mentions of other layers left out"] == others


def test_a_layer_without_an_annotation_need_not_be_told_apart(put: Put) -> None:
    header = "#T_SP=webanno.custom.A|\n#T_SP=webanno.custom.B|"
    (document,) = scan(put("n.tsv", tsv(header, "1-1\t0-3\tArm\t_\t*\t", text="Arm")))
    assert found(document) == [("Arm", "B")]


def test_files_with_different_layers_are_not_mixed(put: Put, tmp_path: Path) -> None:
    for name in "AB":
        header = f"#T_SP=webanno.custom.{name}|"
        put(f"{name}.tsv", tsv(header, "1-1\t0-3\tArm\t*\t", "1-2\t4-9\tlinks\t_\t"))
    with pytest.raises(DataError, match=r"several layers \(webanno\.custom\.A, webanno\.custom\.B"):
        list(scan(tmp_path))
    assert [found(d) for d in scan(tmp_path, layer="A")] == [[("Arm", "A")], []]


def test_without_a_layer_a_file_is_unannotated(put: Put) -> None:
    path = put("n.tsv", tsv("", "1-1\t0-3\tArm\t", "1-2\t4-9\tlinks\t"))
    assert [d.spans for d in scan(path)] == [None]


def test_escapes_in_text_tokens_and_values(put: Put) -> None:
    rows = ["1-1\t0-1\t#\t\\_x\\|y\\[1\\]\t", "1-2\t2-4\t\\\\n\t\\*\t", "1-3\t5-6\tb\t_\t"]
    (document,) = scan(put("n.tsv", tsv("#T_SP=c.A|value", *rows, text=r"#\t\\n b")))
    assert document.text == "#\t\\n b"
    assert found(document) == [("#", "_x|y[1]"), ("\\n", "*")]


def test_early_versions_did_not_escape_text(put: Put) -> None:
    (document,) = scan(put("n.tsv", tsv("#T_SP=c.A|", "1-1\t0-3\ta\\n\t*\t", text="a\\n")))
    assert document.text == "a\\n"


@pytest.mark.parametrize("second", ["#Text=#links", "#links"])
def test_a_sentence_of_several_lines(put: Put, second: str) -> None:
    rows = ["1-1\t0-3\tArm\t*\t", "1-2\t4-10\t#links\t_\t"]
    (document,) = scan(put("n.tsv", tsv("#T_SP=c.A|", *rows, text=f"Arm\n{second}")))
    assert document.text == "Arm\n#links"


def test_a_sentence_of_white_space(put: Put) -> None:
    rows = ["1-1\t0-3\tArm\t*\t", "", "#Text= ", "", "#Sentence.id=3", "#Text=links"]
    rows += ["3-1\t5-10\tlinks\t_\t"]
    (document,) = scan(put("n.tsv", tsv("#T_SP=c.A|", *rows, text="Arm")))
    assert document.text == "Arm\n\nlinks"


def test_numbers_tell_neighbours_apart_and_hold_over_sentences(put: Put) -> None:
    rows = ["1-1\t0-3\tArm\tX[1]|X[3]\t", "1-2\t4-9\tlinks\tX[2]|X[3]\t", ""]
    rows += ["#Text=hoch", "2-1\t10-14\thoch\tX[2]\t"]
    (document,) = scan(put("n.tsv", tsv("#T_SP=c.A|value", *rows)))
    assert found(document) == [("Arm", "X"), ("Arm links", "X"), ("links\nhoch", "X")]


def test_links_of_chains(put: Put) -> None:
    header = "#T_CH=c.Link|referenceRelation|referenceType"
    rows = ["1-1\t0-3\tArm\tis->1-1\tX[1]\t", "1-2\t4-9\tlinks\tis->1-1|*->2-1\tX[1]|*[2]\t"]
    (document,) = scan(put("n.tsv", tsv(header, *rows)))
    assert found(document) == [("Arm links", "X"), ("links", "Link")]
    assert [s.attributes for s in document.spans or ()] == [(("referenceRelation", "is"),), ()]


def test_slots_share_neither_columns_nor_numbers(put: Put) -> None:
    header = "#T_SP=c.H|ROLE_c.H:links_c.L|c.S|value\n#T_SP=c.S|"
    rows = ["1-1\t0-3\tArm\tr;s\t1-2[7];1-1\tX\t_\t", "1-2\t4-9\tlinks\t_\t_\t_\t*\t"]
    path = put("n.tsv", tsv(header, *rows))
    changes: Counter[str] = Counter()
    assert [found(d) for d in scan(path, layer="H", changes=changes)] == [[("Arm", "X")]]
    assert changes["references to other annotations left out"] == 2
    assert [found(d) for d in scan(path, layer="S")] == [[("links", "S")]]


def test_a_large_gap_and_text_before_the_first_token(put: Put) -> None:
    (document,) = scan(put("n.tsv", tsv("#T_SP=c.A|", "1-1\t5-8\tArm\t*\t", text="  Arm")))
    assert document.text == "\n\n\n  Arm"
    assert document.spans == (Span(5, 8, "A"),)


def test_is_known_by_its_first_line(put: Put, tmp_path: Path) -> None:
    put("a.tsv", "\ufeff" + TSV)
    assert [d.id for d in scan(tmp_path)] == ["a"]


VALUES = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=12)
# Readers strip values and put single spaces into those of attributes.
WORDS = VALUES.map(lambda v: " ".join(normalize("NFC", v).split())).filter(bool)


@st.composite
def mentions(draw: st.DrawFn, tokens: list[str]) -> set[tuple[int, int, str, str | None]]:
    """First and last token, type, dose."""
    place = st.integers(0, len(tokens) - 1)
    mention = st.tuples(place, place, WORDS, st.none() | WORDS).filter(lambda m: m[0] <= m[1])
    return draw(st.sets(mention, min_size=1, max_size=4))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    tokens=st.lists(
        VALUES.filter(lambda t: not any(map(str.isspace, t))), min_size=1, max_size=5
    ).filter(lambda t: "".join(t).strip() != ""),
    data=st.data(),
)
def test_round_trip(put: Put, tokens: list[str], data: st.DataObject) -> None:
    def escaped(text: str, more: str) -> str:
        return re.sub(rf"([\\{more}])", r"\\\1", text)

    def cell(values: list[tuple[int, str | None]]) -> str:
        parts = ("*" if v is None else escaped(v, r"\[\]|_*;>") for _, v in values)
        numbered = (f"{p}[{n}]" for p, (n, _) in zip(parts, values, strict=True))
        return "|".join(numbered) or "_"

    gold = list(enumerate(data.draw(mentions(tokens)), 1))
    rows, starts, position = list[str](), list[int](), 0
    for number, token in enumerate(tokens):
        here = [(n, *m) for n, m in gold if m[0] <= number <= m[1]]
        cells = [cell([(n, dose) for n, _, _, _, dose in here])]
        cells += [cell([(n, type_) for n, _, _, type_, _ in here])]
        end = position + len(token.encode("utf-16-le")) // 2
        name = f"1-{number + 1}\t{position}-{end}\t{escaped(token, '')}"
        rows.append("\t".join([name, *cells, ""]))
        starts.append(len(" ".join(tokens[:number])) + (number > 0))
        position = end + 1
    text = " ".join(tokens)
    spans = {
        Span(
            starts[first],
            starts[last] + len(tokens[last]),
            type_,
            attributes=() if dose is None else (("dose", dose),),
        )
        for _, (first, last, type_, dose) in gold
    }
    path = put("n.tsv", tsv("#T_SP=c.A|dose|value", *rows, text=escaped(text, "")))
    (document,) = scan(path)
    assert (document.text, document.spans) == (text, tuple(sorted(spans)))


# What differs between a case's TSV and XMI, and why.
DIFFERENT = {
    "testElevatedType": "XMI has the subtype POS_NOUN, TSV the layer POS",
}
# White space outside the sentences is not in a TSV.
OTHER_SPACE = {
    "testAnnotationWithLeadingWhitespaceAtStart",
    "testAnnotationWithTrailingWhitespaceAtEnd",
    "testZeroWidthAnnotationBeforeFirstTokenIsMovedToBeginOfFirstToken",
    "testZeroWidthAnnotationBeyondLastTokenIsMovedToEndOfLastToken",
}
# The TSVs name layers after the test's type system, the XMIs have DKPro's type instead.
NAMED_ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"


@pytest.mark.shared_data
def test_conformance_with_xmi(shared: Path) -> None:
    suite = shared / "fmt_webanno_tsv3_suite" / "tsv3-suite"
    cases = sorted(p.parent for p in suite.glob("*/reference.xmi"))
    assert len(cases) == 73
    differing, other_space, compared = set[str](), set[str](), 0
    for case in cases:
        for layer in layers_of(case / "reference.tsv"):
            compared += 1
            ours = reading(case / "reference.tsv", layer)
            theirs = reading(case / "reference.xmi", layer)
            if ours is None or theirs is None or places(ours) != places(theirs):
                differing.add(case.name)
            if ours is not None and theirs is not None and ours.text != theirs.text:
                other_space.add(case.name)
    assert compared == 117
    assert differing == set(DIFFERENT)
    assert other_space == OTHER_SPACE


def layers_of(path: Path) -> list[str | None]:
    """Each layer of spans with each of its features; None where a file has none."""
    header = re.findall(r"^#T_(?:SP|CH)=([^|\n]+)\|(.*)$", path.read_text(), re.MULTILINE)
    found: list[str | None] = []
    for name, features in header:
        # Slots (ROLE_x and the type of their filler) and links between links are no types.
        usual = [f for f in features.split("|") if f and "." not in f and f != "referenceRelation"]
        found += [f"{name}.{f}" for f in usual] or [name]
    return found or [None]


def reading(path: Path, layer: str | None) -> Document | None:
    if layer is not None and path.suffix == ".xmi":
        xmi = path.read_text()
        if ":Span " not in xmi:
            layer = layer.replace("webanno.custom.Span.", f"{NAMED_ENTITY}.")
    try:
        (document,) = scan(path, layer=layer)
    except DataError:
        return None
    return document


def places(document: Document) -> list[Span]:
    untyped = {"NamedEntity": "Span"}
    return [replace(s, type=untyped.get(s.type, s.type)) for s in document.spans or ()]


@pytest.mark.shared_data
def test_long_texts_and_other_versions(shared: Path) -> None:
    folder = shared / "fmt_webanno_tsv3_suite"
    (long,) = scan(folder / "tsv3" / "coref.tsv")
    assert Counter(s.type for s in long.spans or ()).total() == 74
    (chains,) = scan(folder / "tsv3" / "coref.tsv", layer="CoreferenceLink")
    assert len(chains.spans or ()) > 500
    for path in sorted((folder / "tsv2").glob("*.tsv")):
        with pytest.raises(DataError, match=r"tsv:1: the first line is not"):
            list(scan(path, format="webanno-tsv"))
