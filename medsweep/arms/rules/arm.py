"""The arm that applies a pattern file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from medsweep.arms._base import ArmOptions
from medsweep.arms.rules.patterns import load_rules
from medsweep.corpus import Document, Span
from medsweep.tasks import Task, TaskKind
from medsweep.tasks.prediction import Prediction

# Clinical notes wrap lines inside of sentences, so a single line break ends none.
_END = re.compile(r"(?<=[.!?;])\s+|\n\s*\n")


class RulesOptions(ArmOptions):
    """Patterns, written by hand."""

    path: Path | None = None
    """A pattern file [the one for smoking status that comes along]."""

    def check(self, kind: TaskKind, labels: Sequence[str] | None, where: str) -> None:  # noqa: ARG002
        """The pattern file must be right, and for these labels."""
        load_rules(self.path, kind, labels)


class Rules:
    """Classification: the first rule that fits a sentence. NER: all matches, first rules first.

    Multi-label: the labels of all rules that fit a sentence.
    """

    trains = False

    def __init__(self, task: Task, options: RulesOptions) -> None:
        self._task = task
        self._file = load_rules(options.path, task.kind, task.labels)

    def predict(
        self,
        train: Sequence[Document],  # noqa: ARG002 - a person has learnt from them
        test: Sequence[Document],
        *,
        seed: int,  # noqa: ARG002
    ) -> list[Prediction]:
        """Apply the rules."""
        if self._task.kind == "ner":
            return [Prediction(d.id, spans=self._spans(d.text)) for d in test]
        if self._task.kind == "multilabel":
            return [
                Prediction(d.id, labels=tuple(sorted(set(self._fitting(d.text))))) for d in test
            ]
        return [
            Prediction(d.id, label=next(self._fitting(d.text), self._file.default)) for d in test
        ]

    def _fitting(self, text: str) -> Iterator[str]:
        """Labels of the rules that fit a sentence, in the order of the rules."""
        sentences = [" ".join(text[a:b].split()) for a, b in _sentences(text)]
        for rule in self._file.rules:
            if any(
                rule.pattern.search(s) and not (rule.unless and rule.unless.search(s))
                for s in sentences
            ):
                yield rule.label

    def _spans(self, text: str) -> tuple[Span, ...]:
        taken: list[Span] = []
        sentences = list(_sentences(text))
        for rule in self._file.rules:
            for start, end in sentences:
                if rule.unless and rule.unless.search(text, start, end):
                    continue
                for match in rule.pattern.finditer(text, start, end):
                    a, b = match.span("mention" if "mention" in match.re.groupindex else 0)
                    if 0 <= a < b and all(b <= s.start or a >= s.end for s in taken):
                        taken.append(Span(a, b, rule.label))
        return tuple(sorted(taken))


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end in _END.finditer(text):
        yield start, end.start()
        start = end.end()
    yield start, len(text)
