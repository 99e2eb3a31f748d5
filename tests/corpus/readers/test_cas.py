import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsweep.corpus import Span, scan
from medsweep.corpus.readers._utf16 import Utf16, utf16_length
from medsweep.errors import DataError

from .annotations import JSON, SPANS, TEXT, TYPES, XMI, cas_json, found, zipped

Put = Callable[[str, str | bytes], Path]

GUESSED = "values of {} that equal ids, taken for references (TypeSystem.xml would tell)"
CHANGES = {
    "documents read from layer webanno.custom.Med.value": 1,
    "annotations outside the view's index left out": 1,
    "relations left out": 1,
}


@pytest.mark.parametrize(("name", "content"), [("n.xmi", XMI), ("n.json", JSON)])
def test_a_file(put: Put, name: str, content: str) -> None:
    changes: Counter[str] = Counter()
    (document,) = scan(put(name, content), changes=changes)
    assert (document.id, document.text, document.spans) == ("n", TEXT, SPANS)
    assert changes == CHANGES


def test_structures_by_their_ids(put: Put) -> None:
    cas = cas_json()
    cas["%FEATURE_STRUCTURES"] = {
        str(f["%ID"]): {k: v for k, v in f.items() if k != "%ID"}
        for f in cas["%FEATURE_STRUCTURES"]
    }
    assert [d.spans for d in scan(put("n.json", json.dumps(cas)))] == [SPANS]


@pytest.mark.parametrize("folder", ["", "letters/"])
@pytest.mark.parametrize("name", ["TypeSystem.xml", "typesystem.xml"])
def test_a_type_system_beside_or_above(put: Put, folder: str, name: str) -> None:
    """It says what a layer's features are, inherited ones too, and which layers there are."""
    put(name, TYPES)
    path = put(f"{folder}n.xmi", XMI)
    assert [d.spans for d in scan(path)] == [SPANS]
    with pytest.raises(DataError, match=r"no feature links \(note, value\)"):
        list(scan(path, layer="Med.links"))
    with pytest.raises(DataError, match=r"no layer Proc \(webanno\.custom\.Med\)"):
        list(scan(path, layer="Proc"))
    assert [d.spans for d in scan(path, layer="Base")] == [()]


def test_a_letter_without_a_mention(put: Put, tmp_path: Path) -> None:
    without = "\n".join(line for line in XMI.split("\n") if "custom:Med" not in line)
    path = put("n.xmi", without)
    assert [d.spans for d in scan(path)] == [None]
    changes: Counter[str] = Counter()
    assert [d.spans for d in scan(path, layer="Med", changes=changes)] == [()]
    assert changes["documents without layer Med"] == 1
    one_layer = TYPES.replace("<name>webanno.custom.Base<", "<name>uima.x.Base<")
    put("TypeSystem.xml", one_layer.replace("webanno.custom.Base", "uima.x.Base"))
    assert [d.spans for d in scan(path)] == [()]


def test_a_type_system_with_imports_is_not_complete(put: Put) -> None:
    """Nothing is fetched or opened for it."""
    imports = '<imports><import location="/etc/passwd"/></imports><types>'
    put("TypeSystem.xml", TYPES.replace("<types>", imports))
    assert [d.spans for d in scan(put("n.xmi", XMI), layer="Proc")] == [()]


def test_references_are_no_features(put: Put) -> None:
    path = put("n.xmi", XMI.replace('note="x"', 'links="3 4"'))
    changes: Counter[str] = Counter()
    bare = tuple(replace(s, attributes=()) for s in SPANS)
    assert [d.spans for d in scan(path, layer="Med", changes=changes)] == [bare]
    assert changes[GUESSED.format("links")] == 1
    assert "references to other annotations left out" not in changes
    # The type system tells what is one.
    put("TypeSystem.xml", TYPES)
    assert [d.spans for d in scan(path, layer="Med", changes=changes)] == [bare]
    assert changes["references to other annotations left out"] == 1


def test_values_that_equal_ids(put: Put) -> None:
    """Without a type system XMI cannot tell them from references, and says so; JSON can."""
    values = {"NAME": "1", "DRUG": "2", "DOSE": "3"}
    xmi, cas = XMI, cas_json()
    del cas["%TYPES"]
    for value, id_ in values.items():
        xmi = xmi.replace(f'value="{value}"', f'value="{id_}"')
    for structure in cas["%FEATURE_STRUCTURES"]:
        if structure.get("value") in values:
            structure["value"] = values[structure["value"]]
    numbered = tuple(replace(s, type=values[s.type]) for s in SPANS)
    changes: Counter[str] = Counter()
    assert [d.spans for d in scan(put("n.json", json.dumps(cas)), changes=changes)] == [numbered]
    assert not any("references" in kind for kind in changes)
    changes.clear()
    path = put("n.xmi", xmi.replace(' note="x"', ""))
    (document,) = scan(path, changes=changes)
    assert {s.type for s in document.spans or ()} == {"Med"}
    assert changes[GUESSED.format("value")] == 3
    bare = [replace(s, attributes=()) for s in numbered]
    assert [list(d.spans or ()) for d in scan(path, layer="Med.value")] == [bare]
    put("TypeSystem.xml", TYPES)
    assert [list(d.spans or ()) for d in scan(path, layer="Med")] == [bare]


def test_what_a_key_of_json_begins_with(put: Put) -> None:
    cas = cas_json()
    del cas["%TYPES"]
    name, drug, dose = cas["%FEATURE_STRUCTURES"][2:5]
    name["^begin"], name["^end"] = name.pop("begin"), name.pop("end")
    drug["sofa"] = drug.pop("@sofa")
    del dose["@sofa"]
    drug["#p"] = "NaN"
    dose["%FLAGS"] = ["x"]
    (document,) = scan(put("n.json", json.dumps(cas)), layer="Med.value")
    expected = list(SPANS)
    expected[1] = replace(SPANS[1], attributes=(("p", "NaN"),))
    assert list(document.spans or ()) == expected


@pytest.mark.parametrize("form", ["xmi", "json"])
def test_structures_without_a_place(put: Put, form: str) -> None:
    """Those that have none are left out and counted; one with half of it is damaged."""
    cas, xmi = cas_json(), XMI
    del cas["%FEATURE_STRUCTURES"][2]["begin"], cas["%FEATURE_STRUCTURES"][2]["end"]
    xmi = xmi.replace('begin="8" end="10" ', "")
    changes: Counter[str] = Counter()
    path = put(f"n.{form}", xmi if form == "xmi" else json.dumps(cas))
    assert [d.spans for d in scan(path, layer="Med", changes=changes)] == [SPANS[1:]]
    assert changes["structures without a place in the text left out"] == 1
    cas["%FEATURE_STRUCTURES"][2]["end"] = 10
    put(f"n.{form}", XMI.replace('begin="8" ', "") if form == "xmi" else json.dumps(cas))
    with pytest.raises(DataError, match="an offset is not a whole number"):
        list(scan(path, layer="Med"))


def test_other_features_are_attributes(put: Put) -> None:
    """Those with one value, in XMI as in JSON."""
    xmi = XMI.replace(
        'note="x" value="DOSE"/>', 'n="90" value="DOSE" b="true"><t>u</t></custom:Med>'
    )
    cas = cas_json()
    dose = cas["%FEATURE_STRUCTURES"][4]
    del dose["note"], cas["%TYPES"]
    dose |= {"n": 90, "b": True, "t": ["u"], "@next": 3, "none": None}
    for path in (
        put("n.xmi", xmi.replace('n="90"', 'n="90" next="3"')),
        put("n.json", json.dumps(cas)),
    ):
        changes: Counter[str] = Counter()
        (document,) = scan(path, layer="Med", changes=changes)
        *others, last = document.spans or ()
        assert [s.attributes for s in others] == [(), ()]
        assert last == Span(15, 25, "DOSE", attributes=(("b", "true"), ("n", "90")))
        assert changes["lists of values left out"] == 1
        told = "references to other annotations left out"
        assert changes[GUESSED.format("next") if path.suffix == ".xmi" else told] == 1
        assert "attributes left out" not in changes
        (document,) = scan(path, layer="Med", attributes=["b"], changes=changes)
        assert (document.spans or ())[2].attributes == (("b", "true"),)
        assert changes["attributes left out"] == 1


def test_several_layers_have_to_be_named(put: Put) -> None:
    path = put("n.xmi", XMI.replace('custom:Med xmi:id="3"', 'custom:Person xmi:id="3"'))
    with pytest.raises(DataError, match=r"webanno\.custom\.Med, webanno\.custom\.Person"):
        list(scan(path))
    assert [found(d) for d in scan(path, layer="Person")] == [[("Öz", "NAME")]]
    # What tools annotate is to be had by name.
    assert [found(d) for d in scan(path, layer="Token")] == [[("Herr", "Token")]]


def test_a_span_without_a_value(put: Put) -> None:
    changes: Counter[str] = Counter()
    (document,) = scan(put("n.xmi", XMI.replace(' value="NAME"', "")), changes=changes)
    assert document.spans is not None
    assert document.spans[0].type == "Med"
    assert changes["spans without value read as Med"] == 1


def test_other_views_are_left_out(put: Put) -> None:
    second = '<cas:Sofa xmi:id="99" sofaID="pdf" sofaString="x"/><cas:View sofa="1"'
    changes: Counter[str] = Counter()
    path = put("n.xmi", XMI.replace('<cas:View sofa="1"', second))
    assert [d.text for d in scan(path, changes=changes)] == [TEXT]
    assert changes["views left out"] == 1
    with pytest.raises(DataError, match="several views with a text"):
        list(scan(put("m.xmi", path.read_text().replace("_InitialView", "html"))))


def test_zips(put: Put) -> None:
    path = put("n.zip", zipped({"TypeSystem.xml": TYPES, "../../a.xmi": XMI, "b.XMI": XMI}))
    documents = list(scan(path))
    assert [(d.id, d.spans) for d in documents] == [("a", SPANS), ("b", SPANS)]
    assert documents[0].source == "n.zip/a.xmi"
    with pytest.raises(DataError, match="no feature x"):
        list(scan(path, layer="Med.x"))
    path = put("7.zip", zipped({"TypeSystem.xml": TYPES, "cas.xmi": XMI}))
    assert [d.id for d in scan(path)] == ["7"]
    path = put("m.zip", zipped({"x/a.json": JSON, "__MACOSX/x/._a.json": "x"}))
    assert [(d.id, d.spans) for d in scan(path)] == [("a", SPANS)]


@given(st.text(st.sampled_from("aß😊\U0010ffff\u200d")))
def test_utf16_offsets(text: str) -> None:
    places = Utf16(text)
    expected: list[int | None] = []
    for number, character in enumerate(text):
        expected += [number, None] if character > "\uffff" else [number]
    expected.append(len(text))
    assert [places.code_point(i) for i in range(utf16_length(text) + 1)] == expected
    assert places.length == utf16_length(text) == len(text.encode("utf-16-le")) // 2
    assert places.code_point(-1) is places.code_point(places.length + 1) is None


@pytest.mark.shared_data
def test_grascco(shared: Path) -> None:
    changes: Counter[str] = Counter()
    folder = shared / "ner_de_grascco_phi"
    letters = {d.id: d for d in scan(folder / "grascco_phi_annotation_xmi", changes=changes)}
    types = Counter(s.type for d in letters.values() for s in d.spans or ())
    assert (len(letters), types.total(), len(types)) == (63, 1439, 20)
    # 19 types, and the one span that lacks its kind, by its layer's name.
    assert types["PHI"] == changes["spans without kind read as PHI"] == 1
    assert changes["byte order marks left out"] == 5
    assert changes["white space at the edges of mentions left out"] == 2
    assert Span(1219, 1221, "PHI") in (letters["Queisser.txt_phi"].spans or ())
    in_json = list(scan(folder / "grascco_phi_annotation_json"))
    assert len(in_json) == 12
    assert [letters[d.id] for d in in_json] == in_json


@pytest.mark.shared_data
def test_cassis_files_are_read_or_say_why_not(shared: Path) -> None:
    outcomes: Counter[str] = Counter()
    for path in sorted((shared / "fmt_uima_cas_cassis").rglob("*")):
        if path.suffix not in (".xmi", ".json"):
            continue
        try:
            list(scan(path, format="cas-xmi" if path.suffix == ".xmi" else "cas-json"))
            outcomes["read"] += 1
        except DataError as error:
            outcomes[error.problem.partition(" (")[0]] += 1
    # The files test cassis: many have structures but no text, or several layers on purpose.
    assert outcomes == {
        "read": 22,
        "no view with a text": 14,
        "several layers": 6,
        "the layer has several features": 1,
    }


@pytest.mark.shared_data
def test_cassis_pairs_agree(shared: Path) -> None:
    """The JSON of a folder says what its XMI says."""
    folders = (shared / "fmt_uima_cas_cassis/json/fs_as_array/ser-ref").iterdir()
    same, different = set[str](), set[str]()
    for folder in sorted(f for f in folders if (f / "debug.xmi").exists()):
        ours, theirs = read_any(folder / "data.json"), read_any(folder / "debug.xmi")
        (same if ours == theirs else different).add(folder.name)
    assert len(same) == 9
    # Its XMI has no text.
    assert different == {"casWithTextAndAnnotations"}


def read_any(path: Path) -> tuple[str, tuple[Span, ...] | None] | None:
    try:
        (document,) = scan(path, layer="uima.tcas.Annotation")
    except DataError:
        return None
    return document.text, document.spans


def test_other_json_is_not_taken_for_a_cas(put: Put) -> None:
    with pytest.raises(DataError, match="format cannot be told"):
        list(scan(put("n.json", '{"a": 1}')))
