"""Synthetic German cardiology letters with the medication types of CARDIO:DE.

What is annotated, so that a reader can check it:

* ``Drug`` is a brand name, ``ActiveIng`` a substance (also abbreviated: ASS, HCT); a mention
  counts wherever it stands, also denied, stopped, or as an allergy.
* A compound is annotated whole (``Metoprololgabe``), one with a hyphen up to it
  (``ASS``-Unverträglichkeit). Classes (Betablocker, Statin) are no mentions.
* ``Strength`` is the amount of a substance in one dose; laboratory values, ejection fractions,
  pressures and body weights are none.
* ``Frequency``, ``Duration`` and ``Form`` belong to a medicine; ``abends Luftnot`` and
  ``seit 3 Wochen`` of a complaint are none.
* Strength, frequency, duration and form are attributes, too, of the medicine named last before
  them.

Letters with findings say more of the heart: see :mod:`medsweep.corpus.samples.findings`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import numpy as np

from medsweep.corpus._base import Span
from medsweep.corpus.readers._fields import dump_entities
from medsweep.corpus.samples import findings
from medsweep.corpus.samples._grammar import Slots, fill, pick

MEDICINES = ("ActiveIng", "Drug")
TYPES = ("ActiveIng", "Drug", "Duration", "Form", "Frequency", "Strength")
# How often a letter is another one of the patient before.
SAME_PATIENT = 0.2

# Substance, its brands, its strengths.
_MEDICINES: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("Metoprolol", ("Beloc-Zok", "Beloc-Zok mite"), ("23,75 mg", "47,5 mg", "95 mg")),
    ("Bisoprolol", ("Concor", "Concor COR"), ("2,5 mg", "5 mg", "10 mg")),
    ("Nebivolol", ("Nebilet",), ("2,5 mg", "5 mg")),
    ("Carvedilol", ("Dilatrend", "Querto"), ("6,25 mg", "12,5 mg", "25 mg")),
    ("Ramipril", ("Delix", "Delix protect"), ("2,5 mg", "5 mg", "10 mg")),
    ("Candesartan", ("Atacand", "Blopress"), ("8 mg", "16 mg", "32 mg")),
    ("Valsartan", ("Diovan",), ("80 mg", "160 mg")),
    ("Sacubitril/Valsartan", ("Entresto",), ("24/26 mg", "49/51 mg", "97/103 mg")),
    ("Amlodipin", ("Norvasc",), ("5 mg", "10 mg")),
    ("Lercanidipin", ("Carmen", "Corifeo"), ("10 mg", "20 mg")),
    ("Torasemid", ("Torem", "Unat"), ("5 mg", "10 mg", "20 mg")),
    ("Furosemid", ("Lasix",), ("40 mg", "20 mg")),
    ("HCT", ("Esidrix",), ("12,5 mg", "25 mg")),
    ("Spironolacton", ("Aldactone",), ("25 mg", "50 mg")),
    ("Eplerenon", ("Inspra",), ("25 mg", "50 mg")),
    ("Apixaban", ("Eliquis",), ("2,5 mg", "5 mg")),
    ("Rivaroxaban", ("Xarelto",), ("15 mg", "20 mg")),
    ("Edoxaban", ("Lixiana",), ("30 mg", "60 mg")),
    ("Phenprocoumon", ("Marcumar", "Falithrom"), ("3 mg",)),
    ("ASS", ("Aspirin protect", "Godamed"), ("100 mg",)),
    ("Clopidogrel", ("Plavix", "Iscover"), ("75 mg",)),
    ("Ticagrelor", ("Brilique",), ("60 mg", "90 mg")),
    ("Prasugrel", ("Efient",), ("5 mg", "10 mg")),
    ("Atorvastatin", ("Sortis",), ("20 mg", "40 mg", "80 mg")),
    ("Rosuvastatin", ("Crestor",), ("10 mg", "20 mg")),
    ("Ezetimib", ("Ezetrol",), ("10 mg",)),
    ("Amiodaron", ("Cordarex",), ("200 mg",)),
    ("Digitoxin", ("Digimerck",), ("0,07 mg", "0,1 mg")),
    ("Dapagliflozin", ("Forxiga",), ("10 mg",)),
    ("Empagliflozin", ("Jardiance",), ("10 mg", "25 mg")),
    ("L-Thyroxin", ("Euthyrox",), ("50 µg", "75 µg", "100 µg")),
    ("Pantoprazol", ("Pantozol",), ("20 mg", "40 mg")),
    ("Molsidomin", ("Corvaton",), ("8 mg",)),
    ("Glyceroltrinitrat", ("Nitrolingual", "Corangin"), ("0,4 mg",)),
    ("Enoxaparin", ("Clexane",), ("40 mg", "60 mg", "0,6 ml")),
    ("Metformin", ("Glucophage",), ("500 mg", "850 mg", "1000 mg")),
    ("Telmisartan", ("Micardis", "Kinzalmono"), ("40 mg", "80 mg")),
    ("Irbesartan", ("Aprovel", "Karvea"), ("150 mg", "300 mg")),
    ("Losartan", ("Lorzaar",), ("50 mg", "100 mg")),
    ("Lisinopril", ("Acerbon",), ("5 mg", "20 mg")),
    ("Enalapril", ("Xanef",), ("5 mg", "10 mg")),
    ("Sotalol", ("Sotalex",), ("40 mg", "80 mg")),
    ("Flecainid", ("Tambocor",), ("50 mg", "100 mg")),
    ("Propafenon", ("Rytmonorm",), ("150 mg", "300 mg")),
    ("Dronedaron", ("Multaq",), ("400 mg",)),
    ("Ivabradin", ("Procoralan",), ("5 mg", "7,5 mg")),
    ("Ranolazin", ("Ranexa",), ("375 mg", "500 mg")),
    ("Verapamil", ("Isoptin",), ("80 mg", "120 mg")),
    ("Diltiazem", ("Dilzem",), ("60 mg", "90 mg")),
    ("Nitrendipin", ("Bayotensin",), ("10 mg", "20 mg")),
    ("Doxazosin", ("Cardular",), ("2 mg", "4 mg")),
    ("Moxonidin", ("Cynt", "Physiotens"), ("0,2 mg", "0,4 mg")),
    ("Clonidin", ("Catapresan",), ("75 µg", "150 µg")),
    ("Dabigatran", ("Pradaxa",), ("110 mg", "150 mg")),
    ("Simvastatin", ("Zocor",), ("20 mg", "40 mg")),
    ("Pravastatin", ("Pravasin",), ("20 mg", "40 mg")),
    ("Bempedoinsäure", ("Nilemdo",), ("180 mg",)),
    ("Xipamid", ("Aquaphor",), ("10 mg", "20 mg")),
    ("Chlortalidon", ("Hygroton",), ("12,5 mg", "25 mg")),
    ("Vericiguat", ("Verquvo",), ("2,5 mg", "10 mg")),
    ("Sitagliptin", ("Januvia",), ("50 mg", "100 mg")),
    ("Allopurinol", ("Zyloric",), ("100 mg", "300 mg")),
    ("Colecalciferol", ("Vigantol", "Dekristol"), ("1000 I.E.", "20000 I.E.")),
    ("Kaliumchlorid", ("Kalinor",), ("600 mg", "40 mmol")),
    ("Mirtazapin", ("Remergil",), ("15 mg", "30 mg")),
    ("Metamizol", ("Novalgin",), ("500 mg", "1 g")),
)
_FORMS = {
    "Enoxaparin": ("Fertigspritze", "Fertigspritzen", "Injektionslösung"),
    "Glyceroltrinitrat": ("Spray", "Zerbeißkapseln", "Kapseln"),
    "Digitoxin": ("Tropfen", "Tabletten"),
    "Furosemid": ("Ampullen", "Tabletten", "Injektionslösung"),
    "Pantoprazol": ("Kapseln", "magensaftresistente Tabletten"),
    "Molsidomin": ("Retardkapseln", "Retardtabletten"),
}
_WORDS: dict[str, tuple[str, ...]] = {
    "freq": (
        "{scheme}", "{scheme}", "{scheme}", "{times} {daily}", "{times} {daily}", "abends",
        "morgens", "bei Bedarf", "alle {hours} Stunden", "zur Nacht", "jeden zweiten Tag",
        "mittags", "nüchtern", "vor dem Frühstück", "einmal pro Woche", "zu den Mahlzeiten",
    ),
    "scheme": (
        "1-0-0", "0-0-1", "1-0-1", "1-1-1", "½-0-½", "2-0-0", "0-1-0", "1-1-0", "½-0-0",
        "1-0-½", "1-½-0", "2-1-0", "1-0-0-1", "0-0-0-1", "2-0-1", "1 - 0 - 1", "0-0-½",
    ),
    "times": ("1x", "2x", "3x", "zweimal", "einmal", "dreimal"),
    "daily": ("tgl.", "täglich", "am Tag", "pro Tag"),
    "hours": ("6", "8", "12", "24"),
    "form": (
        "Tabletten", "Filmtabletten", "Retardtabletten", "Tbl.", "Tabl.", "Filmtbl.",
    ),
    "dur": (
        "für {few} {units}", "für {few} {units}", "bis {month}/{year}", "lebenslang",
        "für weitere {few} Tage", "über {few} {units}", "bis zur Kontrolle", "dauerhaft",
        "für mindestens {few} Monate", "bis Ende {year}", "seit {month}/{year}", "vorerst",
    ),
    "few": ("2", "3", "4", "5", "6", "7", "9", "10", "12", "14", "18", "drei", "sechs", "zwölf"),
    "units": ("Monate", "Wochen", "Tage"),
    "month": ("01", "02", "03", "04", "06", "07", "09", "10", "11", "12"),
    "year": ("2021", "2022", "2023", "2024", "2025"),
    "mg": ("5", "10", "20", "25", "40", "50", "75", "80", "95", "100", "150", "200", "500"),
    "time": ("3 Wochen", "6 Monaten", "zwei Tagen", "4 Wochen", "etwa einem Jahr", "12 Stunden"),
    "ef": ("55", "60", "35", "42", "28", "50", "65"),
    "mm": ("45", "52", "58", "40", "48", "61"),
    "diag": (
        "Koronare Dreigefäßerkrankung", "Paroxysmales Vorhofflimmern", "Arterielle Hypertonie",
        "Dekompensierte Linksherzinsuffizienz", "NSTEMI", "Mittelgradige Aortenklappenstenose",
        "Persistierendes Vorhofflimmern", "Dilatative Kardiomyopathie", "Hypercholesterinämie",
        "Z. n. Schrittmacherimplantation", "Diabetes mellitus Typ 2", "Niereninsuffizienz G3a",
        "Z. n. Hinterwandinfarkt", "Mitralklappeninsuffizienz II°",
    ),
    "complaint": (
        "belastungsabhängiger Luftnot", "thorakalem Druckgefühl", "Palpitationen", "Schwindel",
        "zunehmenden Beinödemen", "einer Synkope", "nächtlicher Orthopnoe",
    ),
}  # fmt: skip
_HISTORY = (
    "Die Aufnahme erfolgte wegen {complaint} seit {time}.",
    "Der Patient leidet an {complaint}, vor allem abends.",
    "Seit {month}/{year} bestehe morgens Luftnot, zuletzt {times} {daily}.",
    "Vorstellung mit {complaint}; die Beschwerden hielten über {few} {units} an.",
    "Zuweisung bei {complaint}, Körpergewicht plus 4 kg in {time}.",
    "Bis {month}/{year} beschwerdefrei, dann {times} {daily} Anfälle mit {complaint}.",
    "Raucher seit {year}, trinkt {times} {daily} ein Glas Wein.",
    "Arbeitsunfähig für {few} {units}, Schrittmacher seit {month}/{year}.",
    "Nachts und zur Nacht hin Zunahme der Beschwerden, mittags kaum.",
    "War {few} {units} in der Reha, misst morgens den Blutdruck.",
)
_DENIED = (
    "Allergien: {ING}-Unverträglichkeit mit Husten.",
    "{NAME} wurde wegen Bradykardie abgesetzt.",
    "Kein {ING} bei bekannter Allergie.",
    "Unter {NAME} kam es zu Schwindel.",
    "Die {INGgabe} wurde pausiert.",
    "Eine Therapie mit {NAME} lehnt die Patientin ab.",
    "Ein Betablocker und ein Statin wurden bisher nicht vertragen.",
    "Bisher keine Medikamente, insbesondere kein {NAME}.",
    "Der {BRAND}-Ausweis lag nicht vor.",
    "Tabletten nehme er ungern.",
)
_ECHO = (
    "LVEF {ef} %, LVEDD {mm} mm, keine Wandbewegungsstörung.",
    "EF biplan {ef} %, E/e' 14, LVEDD {mm} mm.",
    "Linker Ventrikel {mm} mm, Pumpfunktion {ef} %; sPAP 40 mmHg.",
    "LA {mm} mm, LVEF visuell {ef} %, Vmax 2,5 m/s.",
)
_LAB = (
    "Kreatinin 1,2 mg/dl, Kalium 4,5 mmol/l.",
    "LDL {mg} mg/dl, Hb 12,5 g/dl, NT-proBNP 1000 pg/ml.",
    "Glukose {mg} mg/dl, CRP {mg} mg/l, INR 2,5.",
    "Troponin 40 ng/l, Harnsäure 8 mg/dl, Triglyzeride {mg} mg/dl.",
    "RR 160/80 mmHg, Gewicht 75 kg, Urinmenge 850 ml.",
    "Eiweiß im Urin {mg} mg, LDL zuletzt {mg} mg.",
    "LDL-Ziel unter {mg} mg, Albumin {mg} mg am Tag.",
    "Kochsalz unter 6 g, Cholesterin {mg} mg pro Tag.",
)
_LINES = (
    "{NAME} {STR} {FREQ}", "{NAME} {STR} {FORM} {FREQ}", "{NAME} {STR} {FREQ} {DUR}",
    "{NAME} {FREQ}", "{BRAND} ({ING}) {STR} {FREQ}", "{NAME} {FORM} {FREQ}",
    "{ING} {STR} {DUR}", "{NAME} {STR}",
)  # fmt: skip
_PLAN = (
    "Wir empfehlen {NAME} {DUR}.",
    "{ING} {STR} {FREQ} {DUR}, danach Monotherapie.",
    "Dosissteigerung von {ING} auf {STR} {FREQ}.",
    "Umstellung von {BRAND} auf {ING} {STR}.",
    "Bei Angina {NAME} {FORM} {FREQ}.",
    "Fortführung der {INGgabe} {DUR}.",
    "{NAME} {DUR} pausieren, dann {FREQ}.",
)
_CLOSE = (
    "Echo-Kontrolle in {few} Monaten.", "Wiedervorstellung bei Bedarf.",
    "Kein Sport für {few} {units}.", "Blutdruckmessung morgens und abends.",
    "Gewichtskontrolle {times} {daily}, Trinkmenge 1500 ml.", "Ziel-LDL unter {mg} mg/dl.",
    "Keine Fahrtauglichkeit bis {month}/{year}.", "Langzeit-EKG über {few} Tage.",
    "Bewegung {times} {daily}, Nikotinverzicht lebenslang.",
    "Atemgymnastik alle {hours} Stunden.", "Laborkontrolle jeden zweiten Tag.",
    "Krankengymnastik {times} {daily} für {few} {units}.", "Rehabilitation bis Ende {year}.",
)  # fmt: skip
_SPAN = re.compile(r"\[(\w+):([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, its mentions, and its patient."""

    text: str
    entities: tuple[Span, ...]
    group: str


def letters(
    amount: int, rng: np.random.Generator, taken: set[str], prefix: str, *, more: bool = False
) -> list[Letter]:
    """``amount`` letters, none of whose texts is in ``taken``, which grows.

    Patients are called ``prefix-NNN``; several letters may be about one. ``more``: with findings
    besides medication.
    """
    made: list[Letter] = []
    patient = 0
    while len(made) < amount:
        text, entities = _unmark(_letter(rng, more))
        if text in taken:
            continue
        taken.add(text)
        if not made or rng.random() >= SAME_PATIENT:
            patient += 1
        made.append(Letter(text, entities, f"{prefix}-{patient:03d}"))
    return made


def to_jsonl(documents: list[Letter], prefix: str) -> str:
    """One document a line, as :mod:`medsweep.corpus` reads it."""
    return "".join(
        json.dumps(
            {
                "id": f"{prefix}-{number:03d}",
                "text": letter.text,
                "entities": dump_entities(letter.entities),
                "group": letter.group,
            },
            ensure_ascii=False,
        )
        + "\n"
        for number, letter in enumerate(documents, start=1)
    )


def _letter(rng: np.random.Generator, more: bool) -> str:
    """A letter in which mentions are marked ``[Type:surface]``."""
    # Few medicines are common and many are rare, as in a clinic: a small training set misses some.
    weight = 1 / (np.arange(len(_MEDICINES)) + 4.0)
    order = [
        int(i)
        for i in rng.choice(len(_MEDICINES), 30, replace=False, p=weight / weight.sum())[::-1]
    ]
    history: tuple[str, ...] = _HISTORY
    close: tuple[str, ...] = _CLOSE
    echo: list[tuple[tuple[str, ...], int]] = [(_ECHO, 1)]
    words = _WORDS
    if more:
        history, close = history + findings.HISTORY, close + findings.CLOSE
        echo = [(findings.ECHO, 1), (findings.MORE_ECHO, int(rng.integers(1, 4)))]
        words = words | findings.WORDS
    before, after = int(rng.integers(2, 5)), int(rng.integers(3, 6))

    def some(phrases: tuple[str, ...], amount: int) -> list[str]:
        chosen = rng.choice(phrases, size=amount, replace=False)
        return [fill(rng, str(phrase), _medicine(order.pop(), rng), words) for phrase in chosen]

    diagnoses = rng.choice(_WORDS["diag"], size=int(rng.integers(1, 4)), replace=False)
    parts = [
        "Diagnosen: " + "; ".join(_diagnosis(str(d), more) for d in diagnoses) + ".",
        "Anamnese: "
        + " ".join(
            [*some(history, int(rng.integers(1, 4))), *some(_DENIED, int(rng.integers(0, 3)))]
        ),
        "Echo-Befund: " + " ".join(s for phrases, n in echo for s in some(phrases, n)),
        "Labor: " + " ".join(some(_LAB, int(rng.integers(1, 3)))) if rng.random() < 0.7 else "",
        "Medikation bei Aufnahme: " + ", ".join(some(_LINES, before)) + ".",
        "Medikation bei Entlassung: " + ", ".join(some(_LINES, after)) + ".",
        "Procedere: "
        + " ".join([*some(_PLAN, int(rng.integers(1, 3))), *some(close, int(rng.integers(1, 4)))]),
    ]
    return "\n".join(part for part in parts if part)


def _diagnosis(diagnosis: str, more: bool) -> str:
    return f"[Finding:{diagnosis}]" if more and diagnosis in findings.DIAGNOSES else diagnosis


def _medicine(index: int, rng: np.random.Generator) -> Slots:
    substance, brands, strengths = _MEDICINES[index]
    ingredient, brand = f"[ActiveIng:{substance}]", f"[Drug:{pick(rng, brands)}]"
    # Letters are typed in haste: the space before the unit is often missing.
    strength = pick(rng, strengths)
    if rng.random() < 0.15:
        strength = strength.replace(" ", "")
    return {
        "ING": ingredient,
        # Abbreviations and L-Thyroxin take a hyphen, names grow together.
        "INGgabe": f"[ActiveIng:{substance}gabe]"
        if substance[1:].isalpha() and substance[1:].islower()
        else f"{ingredient}-Gabe",
        "BRAND": brand,
        "NAME": (ingredient, brand),
        "STR": f"[Strength:{strength}]",
        "FREQ": f"[Frequency:{pick(rng, _WORDS['freq'])}]",
        "FORM": f"[Form:{pick(rng, _FORMS.get(substance, _WORDS['form']))}]",
        "DUR": f"[Duration:{pick(rng, _WORDS['dur'])}]",
    }  # fmt: skip


def _unmark(marked: str) -> tuple[str, tuple[Span, ...]]:
    """The text without marks, and what they say."""
    text, spans, end = "", list[Span](), 0
    fields: dict[int, dict[str, str]] = {}
    for match in _SPAN.finditer(marked):
        text += marked[end : match.start()]
        if match[1] in MEDICINES:
            fields[len(spans)] = {}
        elif match[1] in TYPES:
            fields[max(fields)][match[1].lower()] = match[2]
        spans.append(Span(len(text), len(text) + len(match[2]), match[1]))
        text += match[2]
        end = match.end()
    told = [
        replace(span, attributes=tuple(sorted(fields.get(place, {}).items())))
        for place, span in enumerate(spans)
    ]
    return text + marked[end:], tuple(told)
