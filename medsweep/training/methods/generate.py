"""Answers in writing: a label, or a list of labels or mentions, as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from medsweep.arms.answers import anchor_spans, read_label, read_labels
from medsweep.arms.decoder import Decoder
from medsweep.corpus import Document, Span
from medsweep.models.load import Base
from medsweep.tasks import Task
from medsweep.training._base import Prediction
from medsweep.training.encode import Window
from medsweep.training.methods._base import Found
from medsweep.training.methods.asking import Asked, Asking, as_asked

# Tokens that a list of mentions may take: for each token of text, in any case, and at most. With
# attributes twice as much.
_A_TOKEN, _AT_LEAST, _AT_MOST = 4, 16, 512


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

        ``format_valid`` is the share of documents with an answer.
        """
        mine: list[list[tuple[Asked, str]]] = [[] for _ in documents]
        for window, written in zip(windows, readings, strict=True):
            mine[window.document].append((as_asked(window), written))
        if self._task.kind == "classification":
            pairs = zip(documents, mine, strict=True)
            found = Found([Prediction(d.id, label=self._label(m)) for d, m in pairs])
            valid = [p.label is not None for p in found.predictions]
        elif self._task.kind == "multilabel":
            pairs = zip(documents, mine, strict=True)
            found = Found([Prediction(d.id, labels=self._labels(m)) for d, m in pairs])
            valid = [p.labels is not None for p in found.predictions]
        else:
            found = self._mentions(documents, mine)
            valid = [p.spans is not None for p in found.predictions]
        share = sum(valid) / len(valid) if valid else 0.0
        return Found(found.predictions, {"format_valid": share, **found.metrics})

    def _label(self, parts: Sequence[tuple[Asked, str]]) -> str | None:
        """What most windows say, the first of them where they are even."""
        said = [read_label(written, self.prompts.names) for _, written in parts]
        votes = Counter(label for label in said if label is not None)
        return votes.most_common(1)[0][0] if votes else None

    def _labels(self, parts: Sequence[tuple[Asked, str]]) -> tuple[str, ...] | None:
        """The labels that at least half of the windows with an answer name."""
        read = [read_labels(written, self.prompts.names) for _, written in parts]
        said = [labels for labels in read if labels is not None]
        votes = Counter(label for labels in said for label in labels)
        return tuple(n for n in self._task.labels if 2 * votes[n] >= len(said)) if said else None

    def _mentions(
        self, documents: Sequence[Document], parts: Sequence[Sequence[tuple[Asked, str]]]
    ) -> Found:
        """``mentions_lost``: the share of what was written that the document does not have."""
        predictions, kept, lost = [], 0, 0
        for document, mine in zip(documents, parts, strict=True):
            spans: set[Span] | None = set()
            for window, written in mine:
                placed = anchor_spans(
                    written, window.text, self.prompts.names, self._task.attributes
                )
                if placed is None or spans is None:
                    # A list that lacks a part of the document is no answer about it.
                    spans = None
                    continue
                kept, lost = kept + len(placed.spans), lost + placed.lost
                spans |= {
                    s.moved(window.begin)
                    for s in placed.spans
                    if window.own[0] <= s.start + window.begin < window.own[1]
                }
            predictions.append(
                Prediction(document.id, spans=None if spans is None else tuple(sorted(spans)))
            )
        return Found(predictions, {"mentions_lost": lost / max(1, kept + lost)})
