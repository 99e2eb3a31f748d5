"""Short discharge notes: those of ``smoking`` in a few lines; the same rules for the status."""

from __future__ import annotations

from functools import partial

import numpy as np

from medsweep.corpus.samples import smoking
from medsweep.corpus.samples._grammar import fill, pick, sentence_case
from medsweep.corpus.samples.smoking import (
    ILLNESSES,
    OPENINGS,
    OTHERS,
    PLACES,
    WORDS,
    insert,
    patient,
    statement,
)

# Nearly even, so that few notes tell the statuses apart.
SHARES = {
    "UNKNOWN": 0.3,
    "NON-SMOKER": 0.2,
    "PAST SMOKER": 0.2,
    "CURRENT SMOKER": 0.2,
    "SMOKER": 0.1,
}
# How often a short note says something about smoking that is not about the patient, whatever its
# status: words alone do not tell the statuses apart.
DISTRACTED = 0.8
# Characters of a statement beside which no other sentence about smoking stands.
LONG = 80


def _note(status: str, rng: np.random.Generator) -> str:
    year, month = int(rng.integers(1999, 2013)), int(rng.integers(1, 13))
    admitted = f"{month:02d}/{year}"
    slots = patient(year, month, rng)
    complaint, diagnosis, _ = ILLNESSES[int(rng.integers(len(ILLNESSES)))]
    other = pick(rng, ("{live}", "{Pt} is {job}.", "{alcohol}"))
    sections: dict[str, list[str]] = {
        "hpi": [fill(rng, pick(rng, OPENINGS), {"complaint": complaint}, slots, WORDS)],
        "social": [fill(rng, other, slots, WORDS)],
        "family": [],
        "course": [],
    }
    said = ""
    if status != "UNKNOWN":
        place = str(rng.choice(list(PLACES), p=list(PLACES.values())))
        said = statement(status, admitted, year, slots, rng)
        insert(sections[place], said, rng, place)
    # Notes of like length: little of a batch is padding.
    if len(said) < LONG and rng.random() < DISTRACTED:
        place = pick(rng, tuple(OTHERS))
        about = fill(rng, pick(rng, OTHERS[place]), slots, WORDS)
        insert(sections[place], sentence_case(about), rng, place)
    parts = [
        f"Admitted {admitted}. " + " ".join(sections["hpi"]),
        "SOCIAL: " + " ".join(sections["social"]),
        "FAMILY: " + " ".join(sections["family"]) if sections["family"] else "",
        f"COURSE: {sentence_case(diagnosis)}. " + " ".join(sections["course"])
        if sections["course"]
        else "",
    ]
    return "\n".join(part for part in parts if part)


notes = partial(smoking.notes, shares=SHARES, write=_note)
