import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medsweep.corpus import Document, Span, scan
from medsweep.errors import DataError

Put = Callable[[str, str], Path]

HEAD = "<source>x</source><date/><key/>"


def annotation(offset: int, length: int, text: str, type_: str = "Drug") -> str:
    return (
        f'<annotation id="a"><infon key="type">{type_}</infon>'
        f'<location offset="{offset}" length="{length}"/><text>{text}</text></annotation>'
    )


def passage(offset: int, text: str, *rest: str) -> str:
    return f"<passage><offset>{offset}</offset><text>{text}</text>{''.join(rest)}</passage>"


def collection(*passages: str, head: str = "") -> str:
    document = f"<document><id>7</id>{''.join(passages)}</document>"
    return f'<?xml version="1.0"?>{head}<collection>{HEAD}{document}</collection>'


def read(path: Path, **options: Any) -> tuple[list[Document], Counter[str]]:
    changes: Counter[str] = Counter()
    return list(scan(path, changes=changes, **options)), changes


def test_passages_and_their_offsets(put: Put) -> None:
    xml = collection(
        passage(0, "Ödem unter ASS", annotation(11, 3, "ASS")),
        passage(15, "Kein Ödem", annotation(20, 4, "Ödem", "Sign")),
    )
    (document,), changes = read(put("a.xml", xml))
    assert (document.id, document.text) == ("7", "Ödem unter ASS Kein Ödem")
    assert document.spans == (Span(11, 14, "Drug"), Span(20, 24, "Sign"))
    assert changes == {}


def test_attributes_of_elements_are_not_taken_for_their_parts(put: Put) -> None:
    xml = collection(passage(0, "ASS", annotation(0, 3, "ASS")))
    odd = xml.replace("<document>", '<document passages="x" infons="y">')
    assert read(put("a.xml", odd)) == read(put("a.xml", xml))


def test_a_document_type_is_passed_over_and_not_fetched(put: Put, tmp_path: Path) -> None:
    # Were it fetched, it would bring in an entity, and the text would be another.
    (tmp_path / "BioC.dtd").write_text('<!ENTITY x "from outside">')
    xml = collection(passage(0, "a"), head='<!DOCTYPE collection SYSTEM "BioC.dtd">')
    assert [d.text for d in scan(put("a.xml", xml))] == ["a"]


def test_offsets_that_count_an_escaped_title(put: Put) -> None:
    # The abstract stands at 13; with the title's apostrophe as "&apos;" it would be at 18.
    xml = collection(
        passage(0, "Crohn's ASS.", annotation(8, 3, "ASS")),
        passage(18, "Auf ASS oder ASS", annotation(17, 3, "ASS"), annotation(26, 3, "ASS")),
    )
    (document,), changes = read(put("a.xml", xml))
    assert [(s.start, s.end) for s in document.spans or ()] == [(8, 11), (17, 20), (26, 29)]
    assert changes == {
        "mentions moved to where their text is": 2,
        "gaps between passages made one space": 1,
    }


def test_offsets_that_count_bytes(put: Put) -> None:
    xml = collection(
        passage(0, "Ödeme ärgern: ASS, ASS", annotation(16, 3, "ASS"), annotation(21, 3, "ASS"))
    )
    (document,), changes = read(put("a.xml", xml))
    assert [(s.start, s.end) for s in document.spans or ()] == [(14, 17), (19, 22)]
    assert changes == {"mentions moved to where their text is": 2}


def test_a_mention_with_two_places_to_go_is_left_out(put: Put) -> None:
    xml = collection(
        passage(0, "ASS oder ASS, mit Ibu", annotation(4, 3, "ASS"), annotation(18, 3, "Ibu"))
    )
    with pytest.raises(DataError, match=r"annotation 1: the annotated text .* \(1 of 2 mentions"):
        read(put("a.xml", xml), max_misplaced=0)
    (document,), changes = read(put("a.xml", xml))
    assert document.spans == (Span(18, 21, "Drug"),)
    assert changes == {"mentions left out: their text is not at their place": 1}


def test_several_locations(put: Put) -> None:
    discontinuous = annotation(17, 8, "Leberversagen").replace(
        "<text>", '<location offset="0" length="5"/><text>'
    )
    xml = collection(passage(0, "Leber- und Nierenversagen", discontinuous))
    (document,), changes = read(put("a.xml", xml))
    assert document.spans == (Span(0, 25, "Drug", ((0, 5), (17, 25))),)
    assert changes == {}


def test_sentences(put: Put) -> None:
    sentences = "".join(
        f"<sentence><offset>{o}</offset><text>{t}</text>{a}</sentence>"
        for o, t, a in [(10, "Gut.", ""), (16, "ASS ab.", annotation(16, 3, "ASS"))]
    )
    xml = collection(f"<passage><offset>10</offset>{sentences}</passage>")
    (document,), changes = read(put("a.xml", xml))
    assert (document.text, document.spans) == ("Gut.  ASS ab.", (Span(6, 9, "Drug"),))
    assert changes == {}


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: [c]])
def test_json(put: Put, wrap: Callable[[Any], Any]) -> None:
    mention = {
        "infons": {"type": "Drug", "class": "ATC"},
        "text": "ASS",
        "locations": [{"offset": 4, "length": 3}],
    }
    made = {
        "documents": [
            {
                "id": "7",
                "passages": [
                    {"offset": 0, "text": "Auf ASS", "annotations": [mention], "relations": [{}]}
                ],
            }
        ]
    }
    path = put("a.json", json.dumps(wrap(made)))
    (document,), changes = read(path)
    drug = Span(4, 7, "Drug", attributes=(("class", "ATC"),))
    assert (document.text, document.spans) == ("Auf ASS", (drug,))
    assert changes == {"relations left out": 1}
    (document,), _ = read(path, layer="class")
    assert document.spans == (Span(4, 7, "ATC", attributes=(("type", "Drug"),)),)


def with_infons(xml: str, *infons: tuple[str, str]) -> str:
    made = "".join(f"<infon key={quoteattr(k)}>{escape(v)}</infon>" for k, v in infons)
    return xml.replace("<location", f"{made}<location", 1)


def test_other_infons_are_attributes_of_a_mention_that_is_moved(put: Put) -> None:
    infons = [("dose", " 5\n mg"), ("none", " "), ("MESH", "D1"), ("MESH", "D2"), ("MESH", "D1")]
    mention = with_infons(annotation(3, 3, "ASS"), *infons, ("", "x"))
    path = put("a.xml", collection(passage(0, "Auf ASS", mention)))
    (document,), changes = read(path)
    assert document.spans == (Span(4, 7, "Drug", attributes=(("MESH", "D1"), ("dose", "5 mg"))),)
    moved = {"mentions moved to where their text is": 1}
    # The second concept, and the value without a key.
    assert changes == {"attributes left out": 2, **moved}
    (document,), changes = read(path, attributes=())
    assert document.spans == (Span(4, 7, "Drug"),)
    assert changes == {"attributes left out": 4, **moved}


def test_infons_of_json_may_be_no_strings(put: Put) -> None:
    infons = {"type": "T", "n": 6647, "valid": True, "none": None, "many": ["a"], "x": {}}
    mention = {"infons": infons, "text": "A", "locations": [{"offset": 0, "length": 1}]}
    made = {"passages": [{"offset": 0, "text": "A", "annotations": [mention]}]}
    (document,), changes = read(put("a.json", json.dumps({"documents": [made]})))
    assert document.spans == (Span(0, 1, "T", attributes=(("n", "6647"), ("valid", "true"))),)
    assert changes == {"attributes left out": 2}


WORDS = st.text(st.sampled_from("aBß😀<&>\"' |-"), min_size=1, max_size=6)
INFONS = st.dictionaries(WORDS.map(str.strip).filter(bool), WORDS, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(infons=INFONS)
def test_xml_and_json_say_the_same(put: Put, infons: dict[str, str]) -> None:
    xml = with_infons(annotation(0, 3, "ASS"), *infons.items())
    mention = {"infons": {"type": "Drug", **infons}, "text": "ASS"}
    mention["locations"] = [{"offset": 0, "length": 3}]
    passages = [{"offset": 0, "text": "ASS", "annotations": [mention]}]
    made = {"documents": [{"id": "7", "passages": passages}]}
    attributes = {k: " ".join(v.split()) for k, v in infons.items() if v.strip()}
    expected = [Document("7", "ASS", spans=(span("Drug", attributes),))]
    assert read(put("a.xml", collection(passage(0, "ASS", xml)))) == (expected, {})
    assert read(put("a.json", json.dumps(made))) == (expected, {})


def span(type_: str, attributes: dict[str, str]) -> Span:
    return Span(0, 3, type_, attributes=tuple(sorted(attributes.items())))


def test_what_has_no_character_or_comes_twice_is_counted(put: Put) -> None:
    twice = annotation(0, 3, "ASS")
    (document,), changes = read(
        put("a.xml", collection(passage(0, "ASS", twice, twice, annotation(3, 0, ""))))
    )
    assert document.spans == (Span(0, 3, "Drug"),)
    assert sorted(changes.values()) == [1, 1]


def with_concept(span: Span) -> Span:
    """The mention with what PubTator says of it."""
    concept = dict(span.attributes)["MESH"]
    return replace(span, attributes=() if concept == "-1" else (("identifier", concept),))


@pytest.mark.shared_data
def test_the_two_forms_of_bc5cdr_agree(shared: Path) -> None:
    folder = shared / "fmt_bioc_bc5cdr_sample"
    bioc, changes = read(folder / "CDR_sample.gold.BioC.xml")
    pubtator, _ = read(folder / "CDR_sample.gold.PubTator", format="pubtator")
    assert [(d.id, d.text) for d in bioc] == [(d.id, d.text) for d in pubtator]
    assert sum(len(d.spans or ()) for d in pubtator) == 934
    # Two mentions have no concept; composite ones and their parts have a role in BioC only.
    fields = Counter(f for d in bioc for s in d.spans or () for f, _ in s.attributes)
    assert fields == {"MESH": 944, "CompositeRole": 15}
    assert Counter(f for d in pubtator for s in d.spans or () for f, _ in s.attributes) == {
        "identifier": 932
    }
    bioc = [replace(d, spans=tuple(map(with_concept, d.spans or ()))) for d in bioc]
    own = [set(b.spans or ()) - set(p.spans or ()) for b, p in zip(bioc, pubtator, strict=True)]
    # The parts of five composite mentions, which PubTator has as names only.
    assert sum(map(len, own)) == 10
    assert all(
        set(p.spans or ()) <= set(b.spans or ()) for b, p in zip(bioc, pubtator, strict=True)
    )
    assert changes == {
        "relations left out": 123,
        # 57 and one in two pieces, in the five documents whose passages' offsets are wrong.
        "mentions moved to where their text is": 58,
        "gaps between passages made one space": 5,
        # Two pieces, one of them off by one character.
        "mentions left out: their text is not at their place": 1,
    }
