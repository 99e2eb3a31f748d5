"""Answers in writing: a label, or a list of labels or mentions, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medsweep.corpus import Document
from medsweep.models.load import Base
from medsweep.prompting.decoder import Decoder
from medsweep.prompting.window import TextWindow, document_answer
from medsweep.tasks import Task
from medsweep.training.encode import Window
from medsweep.training.methods._base import PredictionOutput
from medsweep.training.methods.prompted import PromptedMethod, prompted

# Tokens that a list of mentions may take: for each token of text, in any case, and at most. With
# attributes twice as much.
_A_TOKEN, _AT_LEAST, _AT_MOST = 4, 16, 1024


class Generate(PromptedMethod):
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

    def answer_limit(self, prompt: int) -> int:
        """Labels and some words, or what mentions could take; by the question's length alone."""
        if self._task.kind != "ner":
            return self._room
        text = max(0, prompt - self.overhead)
        return self._times * min(_AT_MOST, _AT_LEAST + _A_TOKEN * text)

    def text_room(self, free: int) -> int:
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
        limits = [min(self.answer_limit(len(ids)), room) for ids in questions]
        decoder = Decoder(model, self._base.tokenizer)
        return decoder.generate_batch(questions, limits, self.end_token)

    def decode(
        self,
        documents: Sequence[Document],
        windows: Sequence[Window],
        readings: Sequence[str],
    ) -> PredictionOutput:
        """Labels or mentions; None where what was written is no answer.

        ``format_valid`` is the share of documents with an answer, ``mentions_lost`` the share of
        written mentions that the document does not have.
        """
        parts: list[list[tuple[TextWindow, str]]] = [[] for _ in documents]
        for window, written in zip(windows, readings, strict=True):
            parts[window.document].append((prompted(window).text_window, written))
        answers = [
            document_answer(d, p, self.prompts) for d, p in zip(documents, parts, strict=True)
        ]
        metrics = {"format_valid": sum(a.valid for a in answers) / max(1, len(answers))}
        if self._task.kind == "ner":
            lost = sum(a.lost for a in answers)
            metrics["mentions_lost"] = lost / max(1, lost + sum(a.kept for a in answers))
        return PredictionOutput([a.prediction for a in answers], metrics)
