"""A document that is asked about in stretches, and their answers as the document's. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from medsweep.arms.answers import anchor_spans, read_label, read_labels
from medsweep.arms.prompts import Prompts
from medsweep.corpus import Document, Span
from medsweep.training._base import Prediction

# Neighbouring stretches share this part of themselves, so that a mention at the edge of one is in
# the middle of the other.
OVERLAP = 0.25


# A stretch of fewer tokens says nothing.
LEAST = 8


def within_seams(room: int) -> int:
    """Tokens of a stretch that fit into ``room``: they merge and split at the seams of a prompt."""
    return room - room // 16 - 2


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a document's text, in characters.

    Attributes:
        begin: where it begins.
        end: where it ends.
        own: (from, to): mentions that begin here are this stretch's to judge.
        seen: where the stretch before it ends.
    """

    begin: int = 0
    end: int = 0
    own: tuple[float, float] = (-1.0, float("inf"))
    seen: int = 0

    def judges(self, span: Span) -> bool:
        """Whether the mention is this stretch's: so that each is one's and no more.

        A mention that begins in the one before, and is too long for it, is whole only here.
        """
        begins_here = self.own[0] <= span.start < self.own[1]
        return begins_here or (span.start < self.own[0] and span.end > self.seen)


def judged(places: Sequence[tuple[int, int]]) -> list[Stretch]:
    """Overlapping parts of a text in order; each judges to the middle of what it shares."""
    middles = [(later[0] + one[1]) / 2 for one, later in pairwise(places)]
    owned = pairwise([-1.0, *middles, float("inf")])
    seen = [0, *(end for _, end in places[:-1])]
    return [Stretch(*p, own, s) for p, own, s in zip(places, owned, seen, strict=True)]


def by_characters(text: str, most: int) -> list[Stretch]:
    """Stretches of at most ``most`` characters, at white space where there is some near."""
    shared = int(OVERLAP * most)
    places: list[tuple[int, int]] = []
    start = 0
    while start + most < len(text):
        stop = start + most
        end = max(text.rfind(" ", stop - shared // 2, stop), 0) or stop
        places.append((start, end))
        # Behind a space: no stretch begins within a word that has an end.
        start = max(
            start + 1, text.find(" ", stop - shared, stop - shared // 2) + 1 or end - shared
        )
    return judged([*places, (start, len(text))])


@dataclass(frozen=True, slots=True)
class Said:
    """What was written of a document.

    Attributes:
        prediction: without an answer where none could be read.
        valid: whether one could.
        kept: mentions that were written and have a place.
        lost: those that have none.
    """

    prediction: Prediction
    valid: bool
    kept: int = 0
    lost: int = 0


def said_of(document: Document, parts: Sequence[tuple[Stretch, str]], prompts: Prompts) -> Said:
    """The answers about a document's stretches as one.

    A label: what most stretches with an answer say, the first where they are even. Labels: those
    that at least half of them name. Mentions: each from the stretch that judges its place; a
    document with a stretch that has no readable list has no answer, because a list that lacks a
    part of the document is none.
    """
    if prompts.kind == "classification":
        said = [read_label(written, prompts.names) for _, written in parts]
        votes = Counter(label for label in said if label is not None)
        label = votes.most_common(1)[0][0] if votes else None
        return Said(Prediction(document.id, label=label), label is not None)
    if prompts.kind == "multilabel":
        named = [read_labels(written, prompts.names) for _, written in parts]
        answers = [labels for labels in named if labels is not None]
        counts = Counter(label for labels in answers for label in labels)
        often = tuple(n for n in sorted(prompts.labels) if 2 * counts[n] >= len(answers))
        return Said(Prediction(document.id, labels=often if answers else None), bool(answers))
    return _mentions(document, parts, prompts)


def _mentions(document: Document, parts: Sequence[tuple[Stretch, str]], prompts: Prompts) -> Said:
    spans: set[Span] = set()
    kept = lost = 0
    valid = True
    for stretch, written in parts:
        text = document.text[stretch.begin : stretch.end]
        placed = anchor_spans(written, text, prompts.names, prompts.attributes)
        if placed is None:
            valid = False
            continue
        kept, lost = kept + len(placed.spans), lost + placed.lost
        spans |= {s for s in (p.moved(stretch.begin) for p in placed.spans) if stretch.judges(s)}
    found = tuple(sorted(spans)) if valid else None
    return Said(Prediction(document.id, spans=found), valid, kept, lost)
