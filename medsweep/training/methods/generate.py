"""Answers in writing: a label, or a list of labels or mentions, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medsweep.corpus import Document
from medsweep.models.load import Base
from medsweep.prompting.decoder import Decoder
from medsweep.prompting.limit import (
    answer_limit,
    list_limit,
    longest_answer,
    text_beside_list,
)
from medsweep.prompting.window import TextWindow, document_answer
from medsweep.tasks import Task
from medsweep.training.encode import Window
from medsweep.training.methods._base import PredictionOutput
from medsweep.training.methods.prompted import PromptedMethod, prompted


class Generate(PromptedMethod):
    """Learns to write the answer and writes it, greedily and to a limit."""

    by_token = True

    def __init__(self, base: Base, task: Task) -> None:
        super().__init__(base, task, as_json=True)
        # Ends count: an answer that is not ended is not read as one.
        longest = longest_answer(self.prompts, (), lambda _: [], self._tokens) + 1
        self._room = answer_limit(longest)
        self._attributes = bool(task.attributes)

    def _tokens(self, answer: str) -> int:
        return len(self._decoder.answer_ids(answer))

    def answer_limit(self, prompt: int) -> int:
        """Labels and some words, or what mentions could take; by the question's length alone."""
        if self._task.kind != "ner":
            return self._room
        return list_limit(prompt - self.overhead, attributes=self._attributes)

    def text_room(self, free: int) -> int:
        """What is left beside the answer's limit."""
        if self._task.kind != "ner":
            return free - self._room
        return text_beside_list(free, attributes=self._attributes)

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

        ``format_valid`` is the share of documents with an answer, ``salvaged`` of those that were
        not written as asked, ``mentions_lost`` the share of written mentions that the document
        does not have.
        """
        parts: list[list[tuple[TextWindow, str]]] = [[] for _ in documents]
        for window, written in zip(windows, readings, strict=True):
            parts[window.document].append((prompted(window).text_window, written))
        answers = [
            document_answer(d, p, self.prompts) for d, p in zip(documents, parts, strict=True)
        ]
        count = max(1, len(answers))
        metrics = {
            "format_valid": sum(a.valid for a in answers) / count,
            "salvaged": sum(a.prediction.salvaged for a in answers) / count,
        }
        if self._task.kind == "ner":
            lost = sum(a.lost for a in answers)
            metrics["mentions_lost"] = lost / max(1, lost + sum(a.kept for a in answers))
        return PredictionOutput([a.prediction for a in answers], metrics)
