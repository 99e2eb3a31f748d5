"""A decoder that is asked without examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from medsweep.arms.decoder import Decoder
from medsweep.arms.options import STRETCH, ZeroShotOptions
from medsweep.arms.prompts import Prompts
from medsweep.arms.stretches import LEAST, Stretch, said_of, within_seams
from medsweep.corpus import Document
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
        examples, length = self._examples(train, seed), self._length()
        questions: list[tuple[Document, Stretch]] = []
        prompts: list[list[int]] = []
        for document in test:
            shown, text = examples(document), self._decoder.blanked(document.text)
            for part in self._decoder.stretches(text, length):
                questions.append((document, part))
                prompts.append(self._prompt(text[part.begin : part.end], shown))
        if self._method == "likelihood":
            return self._likeliest(test, questions, prompts)
        written = self._decoder.write(prompts, self._most, self._grammar)
        said: dict[str, list[tuple[Stretch, str]]] = {d.id: [] for d in test}
        for (document, part), answer in zip(questions, written, strict=True):
            said[document.id].append((part, answer))
        return [said_of(d, said[d.id], self._prompts).prediction for d in test]

    def _examples(
        self,
        train: Sequence[Document],  # noqa: ARG002 - few-shot uses them
        seed: int,  # noqa: ARG002
    ) -> Examples:
        return lambda _: []

    def _shown(self, example: Document) -> str:
        raise NotImplementedError  # zero-shot has no examples

    def _likeliest(
        self,
        test: Sequence[Document],
        questions: Sequence[tuple[Document, Stretch]],
        prompts: list[list[int]],
    ) -> list[Prediction]:
        """The label that is likeliest in the mean over a document's stretches."""
        labels = self._task.labels
        answers = [self._decoder.label(self._prompts.names[label]) for label in labels]
        each: dict[str, list[NDArray[np.float64]]] = {d.id: [] for d in test}
        for (document, _), row in zip(
            questions, self._decoder.scores(prompts, answers), strict=True
        ):
            each[document.id].append(row)
        predictions = []
        for document in test:
            mean = np.mean(each[document.id], axis=0)
            chances = np.exp(mean - mean.max())
            scores = dict(zip(labels, (chances / chances.sum()).tolist(), strict=True))
            predictions.append(
                Prediction(document.id, label=labels[int(mean.argmax())], scores=scores)
            )
        return predictions

    def _length(self) -> int:
        """Tokens of a stretch: what is asked for, but no more than the model's context leaves."""
        empty = self._prompts.messages("")
        room = self._decoder.longest - self._most
        room -= len(self._decoder.prompt(empty, self._prompts.plain(empty)))
        room -= min(room // 2, self._shown_tokens())
        left = within_seams(room)
        if left < LEAST:
            raise self._too_long()
        return min(self._options.max_length or STRETCH[self._task.kind], left)

    def _shown_tokens(self) -> int:
        """What examples may take."""
        return 0

    def _prompt(self, text: str, examples: Sequence[Document]) -> list[int]:
        """Fits the model's context: examples give way, from the least similar."""
        shown = [(self._shown(e), e) for e in examples]
        while True:
            messages = self._prompts.messages(text, shown)
            ids = self._decoder.prompt(messages, self._prompts.plain(messages))
            if len(ids) <= self._decoder.longest - self._most:
                return ids
            if not shown:
                raise self._too_long()
            shown = shown[1:]

    def _too_long(self) -> ConfigError:
        return ConfigError(
            f"the prompt does not fit the model's {self._decoder.longest} tokens",
            where=f"arms.{self._name}.options",
            fix="shorten the instruction or lower max_new_tokens",
        )

    _name = "zero_shot"
