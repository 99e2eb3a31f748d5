"""Answers in writing: a label, or a list of labels or mentions, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medsweep.arms.decoder import Decoder
from medsweep.arms.stretches import Stretch, said_of
from medsweep.corpus import Document
from medsweep.models.load import Base
from medsweep.tasks import Task
from medsweep.training.encode import Window
from medsweep.training.methods._base import Found
from medsweep.training.methods.asking import Asking, as_asked

# Tokens that a list of mentions may take: for each token of text, in any case, and at most. With
# attributes twice as much.
_A_TOKEN, _AT_LEAST, _AT_MOST = 4, 16, 1024


class Generate(Asking):
    """Learns to write the answer and writes it, greedily and to a limit."""

    by_token = True

    def __init__(self, base: Base, task: Task) -> None:
        super().__init__(base, task, as_json=True)
        answers = []
        if task.kind == "classification":
            answers = [self.answer(Document("", "", label=label)) for label in task.labels]
        elif task.kind == "multilabel":
            answers = [self.answer(Document("", "", labels=task.labels))]
        # The same label can be written with other white space or in a sentence.
        self._room = max(map(len, answers), default=0) + 8
        self._times = 2 if task.attributes else 1

    def limit(self, asked: int) -> int:
        """Labels and some words, or what mentions could take; by the question's length alone."""
        if self._task.kind != "ner":
            return self._room
        text = max(0, asked - self.overhead)
        return self._times * min(_AT_MOST, _AT_LEAST + _A_TOKEN * text)

    def text_within(self, free: int) -> int:
        """What is left beside the answer's limit."""
        if self._task.kind != "ner":
            return free - self._room
        times = self._times
        return max(free - times * _AT_MOST, (free - times * _AT_LEAST) // (1 + times * _A_TOKEN))

    def read(self, model: Any, windows: Sequence[Window]) -> list[str]:
        """What the model writes."""
        questions = [w.ids for w in windows]
        # No row's limit depends on its neighbours: longer questions have higher ones.
        room = self._base.longest - max(map(len, questions))
        limits = [min(self.limit(len(ids)), room) for ids in questions]
        speaker = Decoder.around(model, self._base.tokenizer)
        return speaker.write_together(questions, limits, self.ending)

    def decode(
        self,
        documents: Sequence[Document],
        windows: Sequence[Window],
        readings: Sequence[str],
    ) -> Found:
        """Labels or mentions; None where what was written is no answer.

        ``format_valid`` is the share of documents with an answer, ``mentions_lost`` the share of
        written mentions that the document does not have.
        """
        mine: list[list[tuple[Stretch, str]]] = [[] for _ in documents]
        for window, written in zip(windows, readings, strict=True):
            mine[window.document].append((as_asked(window).stretch, written))
        said = [said_of(d, parts, self.prompts) for d, parts in zip(documents, mine, strict=True)]
        metrics = {"format_valid": sum(s.valid for s in said) / max(1, len(said))}
        if self._task.kind == "ner":
            lost = sum(s.lost for s in said)
            metrics["mentions_lost"] = lost / max(1, lost + sum(s.kept for s in said))
        return Found([s.prediction for s in said], metrics)
