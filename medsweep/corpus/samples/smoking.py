"""Synthetic English discharge notes with the five smoking statuses of i2b2 2006.

The label follows from the text by these rules, which a reader can apply:

* ``NON-SMOKER``: the patient has never smoked.
* ``PAST SMOKER``: stopped a year or more before admission.
* ``CURRENT SMOKER``: smokes, or stopped less than a year before admission.
* ``SMOKER``: has smoked, and nothing tells whether it is over.
* ``UNKNOWN``: nothing is said about the patient's own smoking; relatives, fires, food,
  leaflets and house rules do not count.
* Of two statements the one with the later date holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from medsweep.corpus.samples._grammar import Slots, allot, fill, pick, sentence_case

SHARES = {
    "UNKNOWN": 0.45,
    "NON-SMOKER": 0.18,
    "PAST SMOKER": 0.16,
    "CURRENT SMOKER": 0.15,
    "SMOKER": 0.06,
}
# How often a note holds a statement about smoking that is not about the patient, an older
# statement that a later one overrules, and the place of the statement.
DISTRACTED, UNKNOWN_DISTRACTED, CONTRADICTED = 0.4, 0.5, 0.12
PLACES = {"social": 0.65, "hpi": 0.2, "course": 0.15}

WORDS: dict[str, tuple[str, ...]] = {
    "tob": (
        "cigarettes", "tobacco", "Marlboros", "Camels", "cigars", "a pipe", "roll-ups",
        "Pall Malls", "menthol cigarettes", "cigarillos",
    ),
    "amount": (
        "one pack a day", "half a pack daily", "two packs per day", "1 ppd", "1.5 ppd",
        "ten cigarettes a day", "a few cigarettes daily", "a pack every other day",
        "15 cigarettes per day",
    ),
    "small": ("five cigarettes a day", "half a pack", "three cigarettes daily", "a few a day"),
    "n": ("three", "five", "six", "eight", "ten", "12", "15", "18", "20"),
    "months": ("two", "three", "four", "six"),
    "weeks": ("two", "three", "five", "six"),
    "py": ("10", "15", "20", "25", "30", "40", "45", "60"),
    "event": (
        "bypass", "first heart attack", "stroke", "cancer diagnosis", "hip replacement",
        "lung operation",
    ),
    "stress": ("divorce", "retirement", "spouse's death", "move", "layoff", "bereavement"),
    "any_tob": ("tobacco", "any tobacco", "cigarettes, cigars or pipes", "tobacco products"),
    "born": ("daughter", "son"),
    "few": ("two years", "over a year", "more than a year", "nearly three years"),
    "home": ("spouse", "roommate", "son", "daughter", "neighbour", "brother"),
    "job": (
        "a retired teacher", "a retired firefighter", "an accountant", "a bus driver",
        "a retired machinist", "a cook", "a farmer", "an electrician", "a retired nurse",
        "a bartender",
    ),
    "live": (
        "Lives alone.", "Lives with family.", "Lives in a second-floor flat.",
        "Lives in assisted living.", "Married, two children.", "Widowed.",
    ),
    "alcohol": (
        "Drinks wine on weekends.", "No alcohol.", "Two beers a night.",
        "Quit drinking in {far}.", "Alcohol: occasional.", "Former heavy drinker.",
        "Denies alcohol.", "Alcohol: never.",
    ),
}  # fmt: skip

# Each phrasing is about the patient. {far} is a year well before admission, {near} a date within
# the year before it, {Pt} and {pt} the patient as a subject.
STATEMENTS: dict[str, tuple[str, ...]] = {
    "NON-SMOKER": (
        "{Pt} denies use of {any_tob}.",
        "{Pt} has never smoked.",
        "Tobacco: never.",
        "Lifelong nonsmoker.",
        "{Pt} has abstained from tobacco all {his} life.",
        "No personal history of smoking.",
        "{Pt} denies smoking, alcohol or drugs at any time.",
        "{Pt} does not smoke and never did.",
        "{Pt} never tried {any_tob}, not even in college.",
        "Smoking history: 0 pack-years.",
        "{Pt} grew up among smokers but never took it up {self}.",
        "Has always stayed away from {any_tob}.",
    ),
    "PAST SMOKER": (
        "{Pt} quit smoking {n} years ago.",
        "{Pt} used to smoke {amount} but stopped in {far}.",
        "Ex-smoker, {py} pack-years, none for {n} years.",
        "{py} pack-year history, none since {his} {event} in {far}.",
        "Former smoker.",
        "{Pt} smoked {amount} until {far}.",
        "{Pt} gave up {tob} when {his} {born} was born, {n} years ago.",
        "Tobacco: {amount} for {n} years, discontinued {far}.",
        "{Pt} has not touched {any_tob} since {far}; before that {amount}.",
        "{Pt} put {tob} aside for good {n} years ago.",
        "Remote tobacco use, stopped after {his} {event} in {far}.",
        "Smoke-free for {n} years after {py} pack-years.",
    ),
    "CURRENT SMOKER": (
        "{Pt} smokes {amount}.",
        "{Pt} continues to smoke {amount} despite advice.",
        "Active smoker, {amount}.",
        "Tobacco: {amount} for {n} years, ongoing.",
        "{Pt} quit in {far} but resumed last year and is now at {amount}.",
        "{Pt} has cut down from two packs to {small} but cannot stop.",
        "{Pt} is not ready to give up {tob}.",
        "{Pt} still enjoys {tob} after meals, about {small}.",
        "{Pt} stopped for {n} years, then started again after {his} {stress}.",
        "{Pt} had {his} last cigarette on the morning of admission.",
        "{Pt} quit smoking only {weeks} weeks ago.",
        "Used {tob} until {near}.",
        "{Pt} was found smoking outside the ward; nicotine patch ordered.",
    ),
    "SMOKER": (
        "{Pt} has a {py} pack-year smoking history; present use is not stated.",
        "Tobacco: positive.",
        "Cardiac risk factors are hypertension, smoking and age.",
        "Smoking history is significant, details not obtained.",
        "{Pt} admits to {tob}, quantity and dates not recorded.",
        "History of tobacco use; whether it goes on is not documented.",
        "Risk factors include a positive smoking history.",
        "{py} pack-years in total.",
    ),
}
# An older statement, and the later one that overrules it.
_OLD = {
    "NON-SMOKER": ("Listed as a smoker, {amount}.", "Smokes {amount}.", "Former smoker."),
    "PAST SMOKER": ("Smokes {amount}.", "Continues to smoke {amount}.", "Never smoked."),
    "CURRENT SMOKER": ("Never smoked.", "Denies tobacco.", "Quit smoking, doing well."),
}
_NEW = {
    "NON-SMOKER": (
        "chart was wrong, {pt} has never smoked.",
        "earlier entry belongs to another patient; {pt} never used {any_tob}.",
    ),
    "PAST SMOKER": (
        "{pt} has been without {any_tob} for {few}.",
        "{pt} smoked {amount} in {his} youth and stopped in {far}.",
    ),
    "CURRENT SMOKER": (
        "{pt} has gone back to {amount}.",
        "{pt} now admits to {amount}.",
        "{pt} is smoking {amount}.",
    ),
}
_PAIR = (
    "Note of {old} (copied forward): {OLD} Update {new}: {NEW}",
    "Per clinic {old}: {OLD} On {new}: {NEW}",
    "On {new}: {NEW} The entry of {old} still reads: {OLD}",
)
# About others, or about no one's habit. Keys are the sections where they may stand.
OTHERS = {
    "social": (
        "{His} {home} smokes {amount}.",
        "{His} {home} quit smoking in {far}.",
        "Exposed to second-hand smoke from {his} {home}.",
        "{His} {home} never smoked.",
        "Worked on a tobacco farm as a child.",
        "Fond of smoked salmon.",
        "Smoke detectors at home were checked.",
        "Shares a room with a former smoker.",
        "{His} {home} still smokes {tob} in the house.",
    ),
    "family": (
        "{Kin} smoked {amount} and died of lung cancer.",
        "{Kin} was a heavy smoker with emphysema.",
        "{Kin} had a stroke, never smoked.",
        "{Kin} quit {tob} after a heart attack.",
        "{Kin} has COPD and continues to smoke.",
    ),
    "hpi": (
        "No smoke inhalation, no trauma.",
        "There was a kitchen fire last week with brief smoke exposure.",
        "Symptoms began after a dinner of smoked ham.",
        "{His} {home}, who smokes, called the ambulance.",
    ),
    "course": (
        "The smoking cessation leaflet was handed out as to all patients.",
        "Reminded of the smoke-free campus policy.",
        "Two packs of red cells were given.",
        "{His} {home} was offered a nicotine patch during visits.",
        "Tobacco screening was not done.",
    ),
}
ILLNESSES = (
    ("chest pain", "non-ST elevation myocardial infarction",
     "Catheterization showed a mid LAD lesion, which was stented."),
    ("shortness of breath", "congestive heart failure", "Diuresed four liters with good effect."),
    ("productive cough and fever", "pneumonia", "Treated with ceftriaxone and azithromycin."),
    ("left-sided weakness", "ischemic stroke", "MRI showed a right MCA infarct."),
    ("abdominal pain", "acute cholecystitis", "Underwent laparoscopic cholecystectomy."),
    ("black stools", "upper gastrointestinal bleed", "Endoscopy found a duodenal ulcer."),
    ("a fall", "hip fracture", "Repaired on hospital day two, walking with a frame."),
    ("palpitations", "atrial fibrillation", "Rate was controlled with metoprolol."),
    ("leg swelling", "deep vein thrombosis", "Started on heparin and then warfarin."),
    ("flank pain", "kidney stone", "The stone passed on day two."),
    ("wheezing", "bronchitis", "Improved with nebulizers and a steroid taper."),
    ("confusion", "urinary tract infection", "Cleared with ciprofloxacin."),
    ("burning feet", "cellulitis", "Redness receded on cefazolin."),
    ("dizziness", "dehydration", "Felt well after two liters of saline."),
)  # fmt: skip
_PAST_HISTORY = (
    "hypertension", "type 2 diabetes", "hyperlipidemia", "gout", "asthma", "hypothyroidism",
    "coronary disease", "osteoarthritis", "reflux", "depression", "chronic kidney disease",
    "COPD", "migraine", "anemia", "sleep apnea",
)  # fmt: skip
_FAMILY = (
    "Mother had diabetes.", "Father died of a heart attack at 61.", "Noncontributory.",
    "Brother with colon cancer.", "Sister with lupus.", "Parents lived past 90.",
)  # fmt: skip
_DRUGS = (
    "aspirin 81 mg daily", "metoprolol 25 mg b.i.d.", "lisinopril 10 mg daily",
    "furosemide 40 mg daily", "atorvastatin 20 mg nightly", "metformin 500 mg b.i.d.",
    "omeprazole 20 mg daily", "levothyroxine 75 mcg daily", "albuterol p.r.n.",
    "warfarin 5 mg nightly", "acetaminophen p.r.n.", "sertraline 50 mg daily",
)  # fmt: skip
OPENINGS = (
    "{Title} is a {age}-year-old {sex} admitted with {complaint}.",
    "This {age}-year-old {sex} presented with {complaint}.",
    "{age} year old {sex} with {complaint}.",
    "The patient, a {age}-year-old {sex}, came in for {complaint}.",
)
_SYMPTOMS = (
    "Symptoms had begun at rest and slowly grew worse.", "There was no fever and no chills.",
    "Similar complaints had passed on their own a month earlier.",
    "In the emergency room {pt} was alert and in mild distress.",
    "{His} appetite had been poor, without weight loss.", "Pain was rated six out of ten.",
    "{Pt} was sent in by {his} primary care physician.",
)  # fmt: skip
_EXAMS = (
    "BP 132/78, pulse 84, temperature 98.4. Lungs clear, abdomen soft.",
    "BP 158/92, pulse 96, afebrile. Crackles at both bases.",
    "Afebrile, pulse 72, saturation 97% on room air. No edema.",
    "BP 104/60, pulse 110. Dry mucous membranes, no murmur.",
    "Temperature 100.9, saturation 93%. Scattered wheezes.",
)
_COURSES = (
    "Electrolytes were repleted.", "Blood cultures stayed negative.",
    "Physical therapy saw {him} daily.", "Home drugs were continued.",
    "Creatinine peaked at 1.6 and fell to 1.1.", "Tolerated a regular diet.",
    "Repeat imaging was unchanged.",
)  # fmt: skip
_CLOSINGS = (
    "Discharged home in stable condition.", "Follow-up in two weeks.",
    "Discharged to rehabilitation.", "Home with visiting nurse.", "To see the clinic in a month.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Note:
    """A discharge note and its status."""

    text: str
    status: str


def notes(
    amount: int,
    rng: np.random.Generator,
    taken: set[str],
    *,
    shares: Mapping[str, float] = SHARES,
    write: Callable[[str, np.random.Generator], str] | None = None,
) -> list[Note]:
    """``amount`` notes in random order, none of whose texts is in ``taken``, which grows.

    Args:
        amount: how many.
        rng: of everything.
        taken: texts that must not come again.
        shares: of the statuses.
        write: a note of a status; None writes those of about 90 words.
    """
    made = []
    write = write or _note
    for status in allot(shares, amount, rng):
        text = write(status, rng)
        while text in taken:
            text = write(status, rng)
        taken.add(text)
        made.append(Note(text, status))
    return made


def to_xml(documents: list[Note]) -> str:
    """The form in which the i2b2 2006 smoking challenge was distributed."""
    records = "\n".join(
        f'<RECORD ID="{number}">\n<SMOKING STATUS="{note.status}"></SMOKING>\n'
        f"<TEXT>\n{escape(note.text)}\n</TEXT>\n</RECORD>"
        for number, note in enumerate(documents, start=1)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ROOT>\n{records}\n</ROOT>\n'


def _note(status: str, rng: np.random.Generator) -> str:
    year = int(rng.integers(1999, 2013))
    month, day = int(rng.integers(1, 13)), int(rng.integers(1, 24))
    admitted = f"{month:02d}/{day:02d}/{year}"
    left = f"{month:02d}/{day + int(rng.integers(2, 6)):02d}/{year}"
    slots = patient(year, month, rng)
    complaint, diagnosis, treatment = ILLNESSES[int(rng.integers(len(ILLNESSES)))]

    sections: dict[str, list[str]] = {
        "hpi": [fill(rng, pick(rng, OPENINGS), {"complaint": complaint}, slots, WORDS)],
        "social": [],
        "family": [],
        "course": [f"{sentence_case(diagnosis)}.", treatment],
    }
    for name, phrasings in (("hpi", _SYMPTOMS), ("course", _COURSES)):
        chosen = rng.choice(phrasings, size=int(rng.integers(0, 3)), replace=False)
        sections[name] += [fill(rng, str(phrase), slots) for phrase in chosen]
    others = rng.choice(("{live}", "{Pt} is {job}.", "{alcohol}"), int(rng.integers(1, 3)), False)
    sections["social"] += [fill(rng, str(phrase), slots, WORDS) for phrase in others]
    if rng.random() < 0.4:
        sections["family"].append(pick(rng, _FAMILY))
    if status != "UNKNOWN":
        place = str(rng.choice(list(PLACES), p=list(PLACES.values())))
        insert(sections[place], statement(status, admitted, year, slots, rng), rng, place)
    if rng.random() < (UNKNOWN_DISTRACTED if status == "UNKNOWN" else DISTRACTED):
        for place in rng.permutation(list(OTHERS))[: int(rng.integers(1, 3))]:
            about = fill(rng, pick(rng, OTHERS[place]), slots, WORDS)
            insert(sections[place], sentence_case(about), rng, place)

    history = rng.choice(_PAST_HISTORY, size=int(rng.integers(1, 4)), replace=False)
    drugs = rng.choice(_DRUGS, size=int(rng.integers(1, 4)), replace=False)
    parts = [
        f"Admission Date: {admitted}  Discharge Date: {left}",
        "HISTORY OF PRESENT ILLNESS: " + " ".join(sections["hpi"]),
        "PAST MEDICAL HISTORY: " + sentence_case(", ".join(history)) + ".",
        "SOCIAL HISTORY: " + " ".join(sections["social"]),
        "FAMILY HISTORY: " + " ".join(sections["family"]) if sections["family"] else "",
        "MEDICATIONS: " + sentence_case(", ".join(drugs)).rstrip(".") + ".",
        "EXAM: " + pick(rng, _EXAMS),
        "HOSPITAL COURSE: " + " ".join(sections["course"]) + " " + pick(rng, _CLOSINGS),
    ]
    return "\n".join(part for part in parts if part)


def patient(year: int, month: int, rng: np.random.Generator) -> Slots:
    """What the slots of phrases stand for, in a note of one patient."""
    man = bool(rng.random() < 0.5)
    subject = "he" if man else "she"
    # Months before admission, so that the year rule is met whatever the calendar says.
    back = (year * 12 + month - 1) - int(rng.integers(1, 10))
    return {
        "Pt": (subject.capitalize(), subject.capitalize(), "The patient", "Pt"),
        "pt": (subject, "the patient"),
        "him": ("him" if man else "her", "the patient"),
        "his": "his" if man else "her",
        "His": "His" if man else "Her",
        "self": "himself" if man else "herself",
        "Title": f"{'Mr.' if man else 'Ms.'} {pick(rng, 'ABCDEFGHJKLMNPRSTW')}.",
        "sex": "man" if man else "woman",
        "age": str(int(rng.integers(42, 80))),
        "Kin": ("Father", "Mother", "Brother", "Sister", "Uncle", "Grandfather"),
        "far": tuple(str(year - back) for back in range(3, 16)),
        "near": f"{back % 12 + 1:02d}/{back // 12}",
    }


def statement(status: str, admitted: str, year: int, slots: Slots, rng: np.random.Generator) -> str:
    """What tells the status: one phrasing, or two dated ones of which the later holds."""
    if status not in _OLD or rng.random() >= CONTRADICTED:
        return sentence_case(fill(rng, pick(rng, STATEMENTS[status]), slots, WORDS))
    # Further back than the longest abstinence that _NEW reports.
    old = f"{int(rng.integers(1, 13)):02d}/{year - int(rng.integers(4, 10))}"
    dated = {
        "old": old,
        "new": admitted,
        "OLD": pick(rng, _OLD[status]),
        "NEW": sentence_case(pick(rng, _NEW[status])),
    }
    return fill(rng, pick(rng, _PAIR), dated, slots, WORDS)


def insert(sentences: list[str], sentence: str, rng: np.random.Generator, place: str) -> None:
    """Put ``sentence`` anywhere, but behind the opening of a history of present illness."""
    first = 1 if place == "hpi" else 0
    sentences.insert(int(rng.integers(first, len(sentences) + 1)), sentence)
