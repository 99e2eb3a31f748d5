"""What the letters of ``cardiology-findings`` say of the heart, besides medication.

What is annotated, so that a reader can check it:

* ``LVEF`` is the value of the left ventricle's ejection fraction with its unit (``45 %``,
  ``30-35 %``), today's or an earlier one. Thresholds (``ICD bei LVEF unter 35 %``) are none, nor
  are other percentages: the right ventricle's, a saturation, a coronary stenosis.
* ``Finding`` is a change of the heart's valves, walls, chambers or function, with its degree and
  place (``mittelgradige Mitralinsuffizienz``, ``Hypokinesie septal``), wherever it stands, also
  denied (then without ``keine``) or as a diagnosis. Diseases and coronary findings are none.
"""

from __future__ import annotations

TYPES = ("Finding", "LVEF")

WORDS: dict[str, tuple[str, ...]] = {
    "EF": ("[LVEF:{value}]",),
    "value": ("{ef} %", "{ef} %", "{ef} %", "{ef}%", "{range} %"),
    "ef": (
        "18", "22", "25", "28", "30", "33", "35", "38", "40", "42", "45", "48", "50", "52", "55",
        "58", "60", "62", "65", "68",
    ),
    "range": ("20-25", "25-30", "30-35", "35-40", "40-45", "45-50", "50-55", "55-60"),
    "limit": ("30 %", "35 %", "40 %", "50 %"),
    "other": ("45 %", "55 %", "60 %", "70 %", "75 %", "88 %", "92 %", "96 %"),
    "FIND": ("[Finding:{finding}]",),
    "finding": (
        "{degree} {valve}", "{degree} {valve}", "{valve} {grade}", "{short} {grade}",
        "{motion} {wall}", "{motion} {wall}", "diffuse Hypokinesie", "{hypertrophy}",
        "dilatierter linker Vorhof", "dilatierter linker Ventrikel", "biatriale Dilatation",
        "diastolische Relaxationsstörung", "{reduced} Pumpfunktion", "{reduced} RV-Funktion",
    ),
    "degree": (
        "leichtgradige", "mittelgradige", "hochgradige", "höhergradige", "geringe", "moderate",
        "schwere", "leicht- bis mittelgradige",
    ),
    "valve": (
        "Mitralinsuffizienz", "Aortenklappenstenose", "Trikuspidalinsuffizienz", "Aortenstenose",
        "Aorteninsuffizienz", "Mitralklappeninsuffizienz", "Mitralstenose", "Pulmonalinsuffizienz",
    ),
    "short": ("MI", "AI", "TI", "AS"),
    "grade": ("I°", "II°", "III°", "I-II°", "Grad I", "Grad II"),
    "motion": ("Hypokinesie", "Akinesie", "Dyskinesie"),
    "wall": ("apikal", "septal", "inferior", "der Vorderwand", "der Hinterwand", "posterolateral"),
    "hypertrophy": ("konzentrische LV-Hypertrophie", "linksventrikuläre Hypertrophie", "LVH"),
    "reduced": (
        "leicht eingeschränkte", "mittelgradig eingeschränkte", "hochgradig reduzierte",
    ),
    "denied": (
        "Wandbewegungsstörung", "Mitralinsuffizienz", "Aortenklappenstenose", "Akinesie",
        "relevante Klappeninsuffizienz", "linksventrikuläre Hypertrophie",
    ),
}  # fmt: skip
ECHO = (
    "LVEF {EF}, LVEDD {mm} mm, keine [Finding:{denied}].",
    "EF biplan {EF}, E/e' 14, LVEDD {mm} mm.",
    "Linker Ventrikel {mm} mm, Pumpfunktion {EF}; sPAP 40 mmHg.",
    "LA {mm} mm, LVEF visuell {EF}, {FIND}.",
    "Ejektionsfraktion von {EF} (Vorwert {EF}), RVEF {value}.",
    "LV-Funktion: {EF}; {FIND} und {FIND}.",
)
# Without an ejection fraction.
MORE_ECHO = (
    "Klappen und Wände: {FIND}, {FIND}.",
    "Zudem {FIND}, Vmax 2,5 m/s.",
    "Keine [Finding:{denied}], TAPSE 21 mm.",
    "Bild wie im Vorbefund: {FIND}, {FIND}; RV-EF {value}.",
    "Keine [Finding:{denied}], aber {FIND}.",
    "Vena cava inferior {mm} % atemvariabel, {FIND}.",
)
HISTORY = (
    "Bekannt sind {FIND} und {FIND}, zuletzt EF {EF}.",
    "Auswärts wurde eine LVEF von {EF} gemessen.",
    "Bei Aufnahme Sättigung {other}, FEV1 {other}.",
    "Im Herzkatheter {other} RIVA-Stenose, Lävokardiografie mit EF {EF}.",
    "Im Vorjahr noch {FIND} bei einer Pumpfunktion von {EF}.",
)
CLOSE = (
    "ICD bei LVEF unter {limit} erwägen.",
    "Reevaluation, falls die EF unter {limit} fällt.",
    "Kontrolle der EF, Ziel über {limit}.",
)
# Diagnoses that are findings, too.
DIAGNOSES = ("Mittelgradige Aortenklappenstenose", "Mitralklappeninsuffizienz II°")
