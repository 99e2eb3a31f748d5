"""Files in four formats that say the same, with invented text."""

import io
import json
import zipfile
from typing import Any

from medsweep.corpus import Document, Span

TEXT = "Herr 😊 Öz nahm\nASS 100 mg."
SPANS = (
    Span(7, 9, "NAME"),
    Span(15, 18, "DRUG"),
    Span(15, 25, "DOSE", attributes=(("note", "x"),)),
)

ANN = "T1\tNAME 7 9\tÖz\nT2\tDRUG 15 18\tASS\nR1\tHas Arg1:T2 Arg2:T3\n"
ANN += "T3\tDOSE 15 25\tASS 100 mg\nA1\tnote T3 x\n"
TSV = """#FORMAT=WebAnno TSV 3.3
#T_SP=webanno.custom.Med|note|value
#T_RL=webanno.custom.Has|value|BT_webanno.custom.Med


#Text=Herr 😊 Öz nahm
1-1	0-4	Herr	_	_	_	_
1-2	5-7	😊	_	_	_	_
1-3	8-10	Öz	*	NAME	_	_
1-4	11-15	nahm	_	_	_	_

#Text=ASS 100 mg.
2-1	16-19	ASS	*[1]|x[2]	DRUG[1]|DOSE[2]	*	1-3
2-2	20-23	100	x[2]	DOSE[2]	_	_
2-3	24-27	mg.	_	_	_	_
2-3.1	24-26	mg	x[2]	DOSE[2]	_	_
"""
XMI = """<?xml version="1.0" encoding="UTF-8"?>
<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore"
 xmlns:custom="http:///webanno/custom.ecore"
 xmlns:type="http:///de/tudarmstadt/ukp/dkpro/core/api/segmentation/type.ecore" xmi:version="2.0">
<cas:NULL xmi:id="0"/>
<type:Token xmi:id="2" sofa="1" begin="0" end="4"/>
<custom:Med xmi:id="3" sofa="1" begin="8" end="10" value="NAME"/>
<custom:Med xmi:id="4" sofa="1" begin="16" end="19" value="DRUG"/>
<custom:Med xmi:id="5" sofa="1" begin="16" end="26" note="x" value="DOSE"/>
<custom:Has xmi:id="6" sofa="1" begin="16" end="19" Governor="3" Dependent="4"/>
<custom:Med xmi:id="7" sofa="1" begin="0" end="4" value="NOT-IN-INDEX"/>
<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView"
 sofaString="Herr 😊 Öz nahm&#10;ASS 100 mg."/>
<cas:View sofa="1" members="2 3 4 5 6"/>
</xmi:XMI>
"""
TYPES = """<?xml version="1.0" encoding="UTF-8"?>
<typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier"><types>
<typeDescription><name>webanno.custom.Kind</name><supertypeName>uima.cas.String</supertypeName>
</typeDescription>
<typeDescription><name>webanno.custom.Base</name>
<supertypeName>uima.tcas.Annotation</supertypeName><features>
<featureDescription><name>value</name><rangeTypeName>webanno.custom.Kind</rangeTypeName>
</featureDescription></features></typeDescription>
<typeDescription><name>webanno.custom.Med</name><supertypeName>webanno.custom.Base</supertypeName>
<features>
<featureDescription><name>note</name><rangeTypeName>uima.cas.String</rangeTypeName>
</featureDescription>
<featureDescription><name>links</name><rangeTypeName>uima.cas.FSArray</rangeTypeName>
</featureDescription></features></typeDescription>
</types></typeSystemDescription>
"""


def cas_json() -> dict[str, Any]:
    """What ``XMI`` says."""
    spans = {3: (8, 10, "NAME"), 4: (16, 19, "DRUG"), 5: (16, 26, "DOSE"), 7: (0, 4, "X")}
    med = "webanno.custom.Med"
    structures: list[dict[str, Any]] = [
        {"%ID": 1, "%TYPE": "uima.cas.Sofa", "sofaID": "_InitialView", "sofaString": TEXT},
        {"%ID": 8, "%TYPE": "uima.cas.TOP"},
    ]
    structures += [
        {"%ID": i, "%TYPE": med, "@sofa": 1, "begin": a, "end": b, "value": v}
        for i, (a, b, v) in spans.items()
    ]
    structures[4]["note"] = "x"
    structures.append(
        {"%ID": 6, "%TYPE": "webanno.custom.Has", "@sofa": 1, "begin": 16, "end": 19}
        | {"@Governor": 3, "@Dependent": 4}
    )
    return {
        "%TYPES": {
            med: {
                "%NAME": med,
                "%SUPER_TYPE": "uima.tcas.Annotation",
                "value": {"%NAME": "value", "%RANGE": "uima.cas.String"},
                "note": {"%NAME": "note", "%RANGE": "uima.cas.String"},
            }
        },
        "%FEATURE_STRUCTURES": structures,
        "%VIEWS": {"_InitialView": {"%SOFA": 1, "%MEMBERS": [3, 4, 5, 6]}},
    }


JSON = json.dumps(cas_json())


def zipped(members: dict[str, str | bytes]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return raw.getvalue()


def found(document: Document) -> list[tuple[str, str]]:
    return [(document.text[s.start : s.end], s.type) for s in document.spans or ()]
