"""What looking up known mentions can do: those of the training documents, found again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from medsweep.arms._base import ArmOptions
from medsweep.corpus import Document, Span
from medsweep.errors import ConfigError
from medsweep.prompting.tagging import words_of
from medsweep.tasks import Task, TaskKind
from medsweep.tasks.prediction import Prediction

# A mention's words, in small letters.
_Entry = tuple[str, ...]


class DictionaryOptions(ArmOptions):
    """A dictionary without options."""

    def check(self, kind: TaskKind, labels: Sequence[str] | None, where: str) -> None:
        """Only mentions can be looked up."""
        super().check(kind, labels, where)
        if kind != "ner":
            raise ConfigError(
                "a dictionary holds mentions, and this task has none",
                where=where,
                fix="leave the arm dictionary out; tfidf counts words",
            )


class Dictionary:
    """Mentions of the training documents, wherever their words stand, in any case and spacing.

    From left to right the longest known mention is taken, with the type that it most often has
    in training; of equally frequent types the first by name. Mentions in pieces are not learnt.
    """

    trains = True

    def __init__(self, task: Task, _options: DictionaryOptions) -> None:
        self._types = frozenset(task.labels)

    def predict(
        self,
        train: Sequence[Document],
        test: Sequence[Document],
        *,
        seed: int,  # noqa: ARG002 - nothing here is random
    ) -> list[Prediction]:
        """Look up the mentions of ``train``."""
        entries = self._entries(train)
        lengths: dict[str, set[int]] = defaultdict(set)
        for entry in entries:
            lengths[entry[0]].add(len(entry))
        longest_first = {word: sorted(each, reverse=True) for word, each in lengths.items()}
        return [Prediction(d.id, spans=_found(d.text, entries, longest_first)) for d in test]

    def _entries(self, train: Sequence[Document]) -> dict[_Entry, str]:
        """The most frequent type of each mention."""
        counts: dict[_Entry, Counter[str]] = defaultdict(Counter)
        for document in train:
            for span in document.spans or ():
                entry = _words(document.text[span.start : span.end])[1]
                if entry and not span.fragments and span.type in self._types:
                    counts[entry][span.type] += 1
        return {e: min(c, key=lambda kind: (-c[kind], kind)) for e, c in counts.items()}


def _found(
    text: str, entries: Mapping[_Entry, str], lengths: Mapping[str, Sequence[int]]
) -> tuple[Span, ...]:
    places, words = _words(text)
    spans, at = list[Span](), 0
    while at < len(words):
        for length in lengths.get(words[at], ()):
            # At the end of the text the slice may be a shorter entry, which is one as well.
            entry = words[at : at + length]
            if kind := entries.get(entry):
                spans.append(Span(places[at][0], places[at + len(entry) - 1][1], kind))
                at += len(entry) - 1
                break
        at += 1
    return tuple(spans)


def _words(text: str) -> tuple[list[tuple[int, int]], _Entry]:
    places = words_of(text)
    return places, tuple(text[a:b].casefold() for a, b in places)
