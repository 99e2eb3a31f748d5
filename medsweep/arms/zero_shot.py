"""A decoder that is asked without examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from medsweep.arms.answers import anchor_spans, read_label, read_labels
from medsweep.arms.decoder import Decoder
from medsweep.arms.options import ZeroShotOptions
from medsweep.arms.prompts import Prompts
from medsweep.corpus import Document, Span
from medsweep.errors import ConfigError
from medsweep.models import ModelFolder
from medsweep.tasks import Task
from medsweep.tasks._base import NO_LIKELIHOOD
from medsweep.training._base import Prediction

# A label in JSON; a list of them; a list of mentions.
_NEW_TOKENS = {"classification": 32, "multilabel": 256, "ner": 512}

Examples = Callable[[Document], list[Document]]


class ZeroShot:
    """Classification: the likeliest label, or one written as JSON. Else labels or mentions as JSON.

    The scores of the likelihood method are the softmax of the labels' mean log-probabilities
    a token: an order of preference, not a calibrated probability.
    """

    trains = False

    def __init__(self, task: Task, model: ModelFolder, options: ZeroShotOptions) -> None:
        self._task, self._options = task, options
        default = "generate" if task.kind in NO_LIKELIHOOD else "likelihood"
        self._method = options.method or default
        self._prompts = Prompts.of(
            task,
            names=options.names,
            instruction=options.instruction,
            as_json=self._method == "generate",
        )
        self._decoder = Decoder(model)
        schema = self._prompts.schema()
        self._grammar = self._decoder.grammar(schema) if options.constrained else None
        self._most = options.max_new_tokens or _NEW_TOKENS[task.kind]

    def predict(
        self, train: Sequence[Document], test: Sequence[Document], *, seed: int
    ) -> list[Prediction]:
        """Ask about each document.

        Raises:
            ConfigError: the model's context does not even hold the instruction.
        """
        examples = self._examples(train, seed)
        if self._task.kind == "ner":
            return self._mentions(test, examples)
        limit = self._options.max_length
        prompts = [self._prompt(self._clipped(d, limit), examples(d)) for d in test]
        if self._method == "likelihood":
            return self._likeliest(test, prompts)
        answers = self._decoder.write(prompts, self._most, self._grammar)
        names = self._prompts.names
        pairs = zip(test, answers, strict=True)
        if self._task.kind == "multilabel":
            return [Prediction(d.id, labels=read_labels(a, names)) for d, a in pairs]
        return [Prediction(d.id, label=read_label(a, names)) for d, a in pairs]

    def _examples(
        self,
        train: Sequence[Document],  # noqa: ARG002 - few-shot uses them
        seed: int,  # noqa: ARG002
    ) -> Examples:
        return lambda _: []

    def _shown(self, example: Document) -> str:
        raise NotImplementedError  # zero-shot has no examples

    def _likeliest(self, test: Sequence[Document], prompts: list[list[int]]) -> list[Prediction]:
        labels = self._task.labels
        answers = [self._decoder.label(self._prompts.names[label]) for label in labels]
        means = self._decoder.scores(prompts, answers)
        chances = np.exp(means - means.max(axis=1, keepdims=True)) if len(means) else means
        chances = chances / chances.sum(axis=1, keepdims=True)
        return [
            Prediction(
                d.id,
                label=labels[int(row.argmax())],
                scores=dict(zip(labels, row.tolist(), strict=True)),
            )
            for d, row in zip(test, chances, strict=True)
        ]

    def _mentions(self, test: Sequence[Document], examples: Examples) -> list[Prediction]:
        """Asked piece by piece; a document with an unreadable answer counts as unreadable."""
        limit = self._options.max_length
        pieces = [(d, *p) for d in test for p in self._decoder.pieces(d.text, limit)]
        prompts = [self._prompt(text, examples(d)) for d, _, text in pieces]
        answers = self._decoder.write(prompts, self._most, self._grammar)
        found: dict[str, list[Span] | None] = {d.id: [] for d in test}
        for (document, offset, text), answer in zip(pieces, answers, strict=True):
            placed = anchor_spans(answer, text, self._prompts.names, self._task.attributes)
            before = found[document.id]
            if placed is None or before is None:
                found[document.id] = None
            else:
                before += [s.moved(offset) for s in placed.spans]
        return [
            Prediction(d.id, spans=None if (s := found[d.id]) is None else tuple(sorted(s)))
            for d in test
        ]

    def _clipped(self, document: Document, tokens: int) -> str:
        return self._decoder.clip(document.text, tokens)

    def _prompt(self, text: str, examples: Sequence[Document]) -> list[int]:
        """Fits the model's context: examples go first, from the least similar, then the middle."""
        room = self._decoder.longest - self._most
        shown = [(self._shown(e), e) for e in examples]
        while True:
            messages = self._prompts.messages(text, shown)
            ids = self._decoder.prompt(messages, self._prompts.plain(messages))
            if len(ids) <= room:
                return ids
            if shown:
                shown = shown[1:]
                continue
            empty = self._prompts.messages("")
            taken = len(self._decoder.prompt(empty, self._prompts.plain(empty)))
            left = room - taken - (len(ids) - room) // 8 - 8
            if left < 8 or (shorter := self._decoder.clip(text, left)) == text:
                raise ConfigError(
                    f"the prompt does not fit the model's {self._decoder.longest} tokens",
                    where=f"arms.{self._name}.options",
                    fix="shorten the instruction or lower max_new_tokens",
                )
            text = shorter

    _name = "zero_shot"
