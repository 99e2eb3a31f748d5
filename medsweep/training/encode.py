"""Documents as token windows with targets, and windows' predictions as documents' again."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsweep.corpus import Document, Span
from medsweep.prompting.tagging import words_of
from medsweep.prompting.window import OVERLAP
from medsweep.tasks import Task
from medsweep.tasks.multilabel import likely_labels
from medsweep.tasks.prediction import Prediction
from medsweep.training.words import ending_at_punctuation

IGNORED = -100
Target = int | tuple[int, ...] | NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a document's tokens.

    Attributes:
        document: index of its document in the encoded sequence.
        ids: token ids, with the model's special tokens.
        offsets: (tokens, 2) character offsets in the document's text; (0, 0) for special ones.
        words: index in the document of the word that each token begins in, -1 for special ones.
            Letters and digits are words apart, so that a dose can end where its unit begins.
        target: a class, a tag for each token, or for each label whether it applies; None where
            unlabelled.
        key: names the content, so that equal windows share what is computed from them.
    """

    document: int
    ids: tuple[int, ...]
    offsets: NDArray[np.int32] = field(repr=False)
    words: NDArray[np.int32] = field(repr=False)
    target: Target = field(repr=False)
    key: bytes = field(repr=False)

    @property
    def branches(self) -> tuple[int, ...]:
        """Tokens of each of the stretches at the end that stand in each other's place.

        None sees another; each goes on from what stands before them all.
        """
        return ()


class Encoder:
    """Tokenises documents for a task.

    Args:
        tokenizer: a fast one.
        task: what the targets are.
        labels: what the head tells apart, in order.
        longest: tokens that the model can take.
    """

    def __init__(self, tokenizer: Any, task: Task, labels: Sequence[str], longest: int) -> None:
        self._task = task
        self._tokenizer = ending_at_punctuation(tokenizer) if task.kind == "ner" else tokenizer
        self._labels = tuple(labels)
        self._index = {label: i for i, label in enumerate(labels)}
        self._longest = longest

    def encode(self, documents: Sequence[Document], max_length: int) -> list[Window]:
        """The windows of ``documents``, in order.

        A document longer than ``max_length`` tokens becomes several overlapping windows.
        """
        length = min(max_length, self._longest)
        windows: list[Window] = []
        for number, document in enumerate(documents):
            windows += self._windows(number, document, length)
        return windows

    def _windows(self, number: int, document: Document, length: int) -> list[Window]:
        starts = [start for start, _ in words_of(document.text)]
        encoded = self._tokenizer(
            document.text,
            truncation=True,
            max_length=length,
            stride=int(OVERLAP * length),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            verbose=False,
        )
        windows = []
        for i, ids in enumerate(encoded["input_ids"]):
            offsets = np.asarray(encoded["offset_mapping"][i], dtype=np.int32).reshape(-1, 2)
            words = np.asarray(
                [
                    -1 if word is None else _word_at(document.text, starts, *place)
                    for word, place in zip(
                        encoded.word_ids(i), encoded["offset_mapping"][i], strict=True
                    )
                ],
                dtype=np.int32,
            )
            if not ids:
                # Decoders' tokenizers add nothing to an empty text; a model needs one token.
                ids, offsets, words = self._padding()
            windows.append(
                Window(
                    number,
                    tuple(ids),
                    offsets,
                    words,
                    self._target(document, offsets, words),
                    hashlib.sha256(np.asarray(ids, dtype=np.int64).tobytes()).digest(),
                )
            )
        return windows

    def _padding(self) -> tuple[list[int], NDArray[np.int32], NDArray[np.int32]]:
        only = [int(self._tokenizer.pad_token_id)]
        return only, np.zeros((1, 2), dtype=np.int32), np.full(1, -1, dtype=np.int32)

    def _target(
        self, document: Document, offsets: NDArray[np.int32], words: NDArray[np.int32]
    ) -> Target:
        if self._task.kind == "classification":
            return None if document.label is None else self._index.get(document.label)
        if self._task.kind == "multilabel":
            gold = document.labels
            return None if gold is None else np.array([name in gold for name in self._labels])
        if document.spans is None:
            return None
        tags = self._tags(document, offsets)
        return tuple(IGNORED if w < 0 else t for t, w in zip(tags, words.tolist(), strict=True))

    def _tags(self, document: Document, offsets: NDArray[np.int32]) -> list[int]:
        """IOB2 tags; where mentions overlap, the longer one is kept."""
        tags = [0] * len(offsets)
        for span in sorted(document.spans or (), key=lambda s: s.end - s.start):
            if f"B-{span.type}" not in self._index:
                continue
            inside = [
                i
                for i, (start, end) in enumerate(offsets.tolist())
                if start < span.end and end > span.start and end > start
            ]
            for i in inside:
                tags[i] = self._index[f"I-{span.type}"]
            first = int(offsets[inside[0], 0]) if inside else -1
            # A window may begin in the midst of a mention.
            if first >= span.start - 1 and not document.text[span.start : first].strip():
                tags[inside[0]] = self._index[f"B-{span.type}"]
        return tags

    def decode(
        self,
        documents: Sequence[Document],
        windows: Sequence[Window],
        logits: Sequence[NDArray[np.float32]],
    ) -> list[Prediction]:
        """Predictions for documents, in order, from their windows' logits.

        Classification and multi-label: the mean of the windows' logits. NER: each word's tag
        comes from the window in which it stands farthest from an edge.
        """
        by_document: list[list[int]] = [[] for _ in documents]
        for i, window in enumerate(windows):
            by_document[window.document].append(i)
        return [
            self._prediction(d, [windows[i] for i in own], [logits[i] for i in own])
            for d, own in zip(documents, by_document, strict=True)
        ]

    def _prediction(
        self, document: Document, windows: list[Window], logits: list[NDArray[np.float32]]
    ) -> Prediction:
        if self._task.kind == "ner":
            words = self._best_words(list(zip(windows, logits, strict=True)))
            return Prediction(document.id, spans=self._spans(document.text, words))
        if self._task.kind == "multilabel":
            mean = np.asarray(np.mean(logits, axis=0, dtype=np.float64))
            return likely_labels(document.id, self._labels, _sigmoid(mean))
        mean = np.mean(logits, axis=0)
        shifted = np.exp(mean - mean.max())
        scores = shifted / shifted.sum()
        return Prediction(
            document.id,
            label=self._labels[int(mean.argmax())],
            scores=dict(zip(self._labels, scores.tolist(), strict=True)),
        )

    def _best_words(
        self, parts: Sequence[tuple[Window, NDArray[np.float32]]]
    ) -> list[tuple[int, int, int]]:
        """(start, end, tag) of each word of a document, in order.

        A word's tag is its first token's.
        """
        best: dict[int, tuple[int, int, int, int]] = {}
        for window, scores in parts:
            tags = scores.argmax(axis=1)
            count = len(window.words)
            for word in np.unique(window.words[window.words >= 0]).tolist():
                tokens = np.flatnonzero(window.words == word)
                start = int(window.offsets[tokens[0], 0])
                end = int(window.offsets[tokens[-1], 1])
                depth = int(min(tokens[0], count - 1 - tokens[-1]))
                if word not in best or depth > best[word][3]:
                    best[word] = (start, end, int(tags[tokens[0]]), depth)
        return [best[w][:3] for w in sorted(best)]

    def _spans(self, text: str, words: Sequence[tuple[int, int, int]]) -> tuple[Span, ...]:
        """Mentions from tags; an I without its B opens a mention, as seqeval reads it."""
        spans: list[Span] = []
        open_: tuple[int, int, str] | None = None
        for start, end, tag in words:
            prefix, _, kind = self._labels[tag].partition("-")
            if prefix == "I" and open_ and open_[2] == kind:
                open_ = (open_[0], end, kind)
                continue
            if open_:
                spans.append(_trimmed(text, *open_))
            open_ = (start, end, kind) if prefix in ("B", "I") else None
        if open_:
            spans.append(_trimmed(text, *open_))
        return tuple(sorted({s for s in spans if s.end > s.start}))


def _word_at(text: str, starts: Sequence[int], start: int, end: int) -> int:
    """The word that a token begins in, behind the white space that it may begin with.

    A sign for a space alone is no part of the word behind it.
    """
    while start < end and text[start].isspace():
        start += 1
    return bisect_right(starts, start) - 1 if start < end else -1


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without overflow; 0 gives exactly one half."""
    chances: NDArray[np.float64] = 0.5 * (1 + np.tanh(logits / 2))
    return chances


def _trimmed(text: str, start: int, end: int, kind: str) -> Span:
    """Without the white space that decoders' tokens begin with."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end, kind)
