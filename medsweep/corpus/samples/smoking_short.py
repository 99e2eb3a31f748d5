"""Short discharge notes in which the patient and others smoke: whose habit it is decides.

The statuses are those of ``smoking``, told by a sentence about the patient; most notes hold
another such sentence about a relative, of any status. Both come from the same phrasings, in either
order and mostly with an aside behind their subject: words do not tell whose they are.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from medsweep.corpus.samples import smoking
from medsweep.corpus.samples._grammar import Slots, fill, pick
from medsweep.corpus.samples.smoking import ILLNESSES, OPENINGS, WORDS, patient

# Nearly even, so that few notes tell the statuses apart.
SHARES = {
    "UNKNOWN": 0.25,
    "NON-SMOKER": 0.2,
    "PAST SMOKER": 0.2,
    "CURRENT SMOKER": 0.2,
    "SMOKER": 0.15,
}
# How often somebody else's habit is told beside the patient's, and where the patient's is not.
BESIDE, ALONE = 0.8, 0.95

# What is said of a person, patient or not. {far} is a year well before admission.
HABITS: dict[str, tuple[str, ...]] = {
    "NON-SMOKER": (
        "has never smoked",
        "never took up smoking",
        "never tried {any_tob}",
        "is a lifelong nonsmoker",
        "has stayed away from {any_tob} all along",
    ),
    "PAST SMOKER": (
        "quit smoking {n} years ago",
        "gave up {tob} {n} years ago",
        "used to smoke {amount} but stopped in {far}",
        "is a former smoker",
        "has not touched {any_tob} since {far}",
    ),
    "CURRENT SMOKER": (
        "smokes {amount}",
        "continues to smoke {amount}",
        "is an active smoker",
        "still enjoys {tob} after meals",
        "is not ready to give up {tob}",
    ),
    "SMOKER": (
        "has {py} pack-years, present use not stated",
        "admits to {tob}, dates not recorded",
        "has a positive smoking history",
        "has a history of tobacco use, details not obtained",
        "has smoked, whether it goes on is unclear",
    ),
}
RELATIVES = (
    "father", "mother", "brother", "sister", "uncle", "spouse", "roommate", "son", "daughter",
    "neighbour",
)  # fmt: skip
_OF_RELATIVES = (", {job},", ", {years},", ", who lives nearby,", ", as is well known,",
                 ", by all accounts,", "")  # fmt: skip
_OF_PATIENTS = (", {job},", ", when asked,", ", who lives alone,", ", by own account,",
                ", as noted before,", "")  # fmt: skip


def _note(status: str, rng: np.random.Generator) -> str:
    year, month = int(rng.integers(1999, 2013)), int(rng.integers(1, 13))
    slots = {**patient(year, month, rng), "years": str(int(rng.integers(30, 90)))}
    complaint, _, _ = ILLNESSES[int(rng.integers(len(ILLNESSES)))]
    opening = fill(rng, pick(rng, OPENINGS), {"complaint": complaint}, slots, WORDS)
    known = status != "UNKNOWN"
    history = []
    if known:
        subject = pick(rng, ("{Pt}", "{Pt}", "{Title}")) + pick(rng, _OF_PATIENTS)
        history.append(_sentence(subject, status, slots, rng))
    if rng.random() < (BESIDE if known else ALONE):
        subject = "{His} " + pick(rng, RELATIVES) + pick(rng, _OF_RELATIVES)
        history.append(_sentence(subject, pick(rng, tuple(HABITS)), slots, rng))
    # Notes of like length: little of a batch is padding.
    if len(history) < 2:
        history.append(fill(rng, pick(rng, ("{live}", "{alcohol}")), slots, WORDS))
    told = " ".join(history[i] for i in rng.permutation(len(history)))
    return f"Admitted {month:02d}/{year}. {opening}\n{told}"


def _sentence(subject: str, status: str, slots: Slots, rng: np.random.Generator) -> str:
    return fill(rng, f"{subject} {pick(rng, HABITS[status])}.", slots, WORDS)


notes = partial(smoking.notes, shares=SHARES, write=_note)
