"""Windows of a long text, and the answers about them as the document's. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from medsweep.corpus import Document, Span
from medsweep.prompting.answer import anchor_spans, read_label, read_labels
from medsweep.prompting.prompt import Prompts
from medsweep.tasks.prediction import Prediction

# Neighbouring windows share this part of themselves, so that a mention at the edge of one is in
# the middle of the other.
OVERLAP = 0.25
# Of tokens: a window of fewer says nothing.
MIN_WINDOW = 8


def largest_window(room: int) -> int:
    """Tokens of a window that fits into ``room``: they merge and split at the seams of a prompt."""
    return room - room // 16 - 2


@dataclass(frozen=True, slots=True)
class TextWindow:
    """A part of a document's text, in characters.

    Attributes:
        start: where it begins.
        end: where it ends.
        core: (from, to): mentions that begin here are this window's to judge.
        previous_end: where the window before it ends.
    """

    start: int = 0
    end: int = 0
    core: tuple[float, float] = (-1.0, float("inf"))
    previous_end: int = 0

    def judges(self, span: Span) -> bool:
        """Whether the mention is this window's: so that each is one's and no more.

        A mention that begins in the one before, and is too long for it, is whole only here.
        """
        if span.start < self.core[0]:
            return span.end > self.previous_end
        return span.start < self.core[1]


def text_windows(bounds: Sequence[tuple[int, int]]) -> list[TextWindow]:
    """Overlapping windows in order; each judges to the middle of what it shares."""
    middles = [(later[0] + one[1]) / 2 for one, later in pairwise(bounds)]
    cores = pairwise([-1.0, *middles, float("inf")])
    previous = [0, *(end for _, end in bounds[:-1])]
    return [TextWindow(*b, c, p) for b, c, p in zip(bounds, cores, previous, strict=True)]


def character_windows(text: str, size: int) -> list[TextWindow]:
    """Windows of at most ``size`` characters, at white space where there is some near."""
    shared = int(OVERLAP * size)
    bounds: list[tuple[int, int]] = []
    start = 0
    while start + size < len(text):
        stop = start + size
        end = max(text.rfind(" ", stop - shared // 2, stop), 0) or stop
        bounds.append((start, end))
        # Behind a space: no window begins within a word that has an end.
        start = max(
            start + 1, text.find(" ", stop - shared, stop - shared // 2) + 1 or end - shared
        )
    return text_windows([*bounds, (start, len(text))])


def excerpt(document: Document, begin: int, end: int) -> Document:
    """A window of a document as one of its own, with the mentions that are whole in it."""
    spans = None
    if document.spans is not None:
        inside = (s for s in sorted(document.spans) if begin <= s.start and s.end <= end)
        # The hull of a discontinuous mention: what is written in one piece.
        spans = tuple(replace(s, fragments=()).moved(-begin) for s in inside)
    return replace(document, text=document.text[begin:end], spans=spans)


@dataclass(frozen=True, slots=True)
class DocumentAnswer:
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


def document_answer(
    document: Document, answers: Sequence[tuple[TextWindow, str]], prompts: Prompts
) -> DocumentAnswer:
    """The answers about a document's windows as one; the prediction says if it was salvaged.

    A label: what most windows with an answer say, the first where they are even. Labels: those
    that at least half of them name. Mentions: each from the window that judges its place; a
    document with a window that has no readable list has no answer, because a list that lacks a
    part of the document is none.
    """
    if prompts.kind == "classification":
        said = [r for _, text in answers if (r := read_label(text, prompts.names)) is not None]
        votes = Counter(r.value for r in said)
        winner = votes.most_common(1)[0][0] if votes else None
        salvaged = any(r.salvaged for r in said)
        prediction = Prediction(document.id, label=winner, salvaged=salvaged)
        return DocumentAnswer(prediction, winner is not None)
    if prompts.kind == "multilabel":
        read = [s for _, t in answers if (s := read_labels(t, prompts.names)) is not None]
        sets = [s.value for s in read]
        counts = Counter(label for labels in sets for label in labels)
        frequent = tuple(n for n in sorted(prompts.labels) if 2 * counts[n] >= len(sets))
        salvaged = any(s.salvaged for s in read)
        prediction = Prediction(document.id, labels=frequent if sets else None, salvaged=salvaged)
        return DocumentAnswer(prediction, bool(sets))
    return _mentions(document, answers, prompts)


def _mentions(
    document: Document, answers: Sequence[tuple[TextWindow, str]], prompts: Prompts
) -> DocumentAnswer:
    spans: set[Span] = set()
    kept = lost = 0
    valid, salvaged = True, False
    for window, answer in answers:
        text = document.text[window.start : window.end]
        anchored = anchor_spans(answer, text, prompts.names, prompts.attributes)
        if anchored is None:
            valid = False
            continue
        salvaged |= anchored.salvaged
        kept, lost = kept + len(anchored.spans), lost + anchored.lost
        spans |= {s for s in (a.moved(window.start) for a in anchored.spans) if window.judges(s)}
    found = tuple(sorted(spans)) if valid else None
    prediction = Prediction(document.id, spans=found, salvaged=salvaged and valid)
    return DocumentAnswer(prediction, valid, kept, lost)
