"""A decoder that is asked without examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import StrictBool

from medsweep.arms._base import Count, Tokens
from medsweep.arms.prompted import PromptOptions, Question, joined_predictions
from medsweep.arms.selection import ExampleSelector
from medsweep.corpus import Document
from medsweep.errors import ConfigError
from medsweep.models import ModelFolder
from medsweep.prompting.likelihood import likeliest_label
from medsweep.prompting.limit import answer_limit, list_limit, longest_answer
from medsweep.prompting.window import MIN_WINDOW, largest_window
from medsweep.tasks import Task, TaskKind
from medsweep.tasks._base import NO_LIKELIHOOD
from medsweep.tasks.prediction import Prediction

# Tokens of a window, unless options say. Attention's scores grow with its square, and a list of
# mentions with its length.
WINDOW_TOKENS: Mapping[TaskKind, int] = {"classification": 2048, "multilabel": 2048, "ner": 512}


class ZeroShotOptions(PromptOptions):
    """A prompted local decoder."""

    method: Literal["likelihood", "generate"] | None = None
    """likelihood compares the labels' log-probabilities and always answers; generate lets the model
    write JSON, which may fail to parse. NER and multi-label tasks generate [likelihood, if it can
    be]."""
    max_length: Tokens | None = None
    """Tokens of a window; a longer document is asked about in several that overlap, and their
    answers are joined [2048, NER: 512, or what the model's context leaves]."""
    max_new_tokens: Count | None = None
    """Tokens that may be generated for a window [half more than the longest right answer to one of
    the training documents has, and 32]."""
    constrained: StrictBool = False
    """Whether nothing but JSON that answers the question can be generated; needs
    `medsweep[constrained]`."""

    def check(self, kind: TaskKind, labels: Sequence[str] | None, where: str) -> None:
        """The method must fit the task, and constraints the method."""
        gold = NO_LIKELIHOOD.get(kind)
        if gold and self.method == "likelihood":
            raise ConfigError(
                f"{gold} have no likelihood to compare", where=f"{where}.method", fix="use generate"
            )
        if self.constrained and not gold and self.method != "generate":
            raise ConfigError(
                "only what is generated can be constrained",
                where=f"{where}.constrained",
                fix="add method: generate",
            )
        if self.constrained and find_spec("llguidance") is None:
            raise ConfigError(
                "needs the package llguidance",
                where=f"{where}.constrained",
                fix="pip install 'medsweep[constrained]'",
            )
        super().check(kind, labels, where)


class ZeroShot:
    """Classification: the likeliest label, or one written as JSON. Else labels or mentions as JSON.

    The scores of the likelihood method are the softmax of the labels' mean log-probabilities
    a token: an order of preference, not a calibrated probability.
    """

    trains = False
    _name = "zero_shot"

    def __init__(self, task: Task, options: ZeroShotOptions, model: ModelFolder) -> None:
        from medsweep.prompting.decoder import Decoder

        self._task, self._options = task, options
        default = "generate" if task.kind in NO_LIKELIHOOD else "likelihood"
        self._method = options.method or default
        self._prompts = options.prompts(task, as_json=self._method == "generate")
        self._decoder = Decoder.load(model)
        schema = self._prompts.schema()
        self._grammar = self._decoder.grammar(schema) if options.constrained else None

    def predict(
        self, train: Sequence[Document], test: Sequence[Document], *, seed: int
    ) -> list[Prediction]:
        """Ask about each document.

        Raises:
            ConfigError: the model's context does not even hold the instruction.
        """
        examples, (size, limit) = self._selector(train, seed), self._window_and_limit(train)
        questions: list[Question] = []
        prompts: list[list[int]] = []
        for document in test:
            selected, text = examples(document), self._decoder.mask_control_tokens(document.text)
            for window in self._decoder.windows(text, size):
                questions.append((document, window))
                prompts.append(self._prompt(text[window.start : window.end], selected, limit))
        if self._method == "likelihood":
            return self._likeliest(test, questions, prompts)
        answers = self._decoder.generate(prompts, limit, self._grammar)
        return joined_predictions(test, questions, answers, self._prompts)

    def _likeliest(
        self, test: Sequence[Document], questions: Sequence[Question], prompts: list[list[int]]
    ) -> list[Prediction]:
        """The label that is likeliest in the mean over a document's windows."""
        labels = self._task.labels
        answers = [self._decoder.answer_ids(self._prompts.names[label]) for label in labels]
        rows: dict[str, list[NDArray[np.float64]]] = {d.id: [] for d in test}
        scores = self._decoder.scores(prompts, answers)
        for (document, _), row in zip(questions, scores, strict=True):
            rows[document.id].append(row)
        return [likeliest_label(d.id, labels, np.stack(rows[d.id])) for d in test]

    def _selector(
        self,
        train: Sequence[Document],  # noqa: ARG002 - few-shot uses them
        seed: int,  # noqa: ARG002
    ) -> ExampleSelector:
        return lambda _: []

    def _example_text(self, example: Document) -> str:
        raise NotImplementedError  # zero-shot has no examples

    def _example_tokens(self) -> int:
        """What examples may take."""
        return 0

    def _window_and_limit(self, train: Sequence[Document]) -> tuple[int, int]:
        """Tokens of a window and of the answer about it.

        A window is what is asked for, but no more than the model's context leaves beside an
        answer; that of a shorter window may be shorter.
        """
        empty = self._prompts.messages("")
        beside = len(self._decoder.prompt_ids(empty, self._prompts.plain(empty)))
        size = self._options.max_length or WINDOW_TOKENS[self._task.kind]
        while size >= MIN_WINDOW:
            limit = self._limit(train, size)
            room = self._decoder.context - limit - beside
            most = largest_window(room - min(room // 2, self._example_tokens()))
            if size <= most:
                return size, limit
            size = most if most >= MIN_WINDOW else size // 2
        raise self._too_long()

    def _limit(self, train: Sequence[Document], size: int) -> int:
        """Tokens of an answer about a window of ``size`` tokens."""
        if self._options.max_new_tokens:
            return self._options.max_new_tokens
        longest = longest_answer(
            self._prompts,
            train,
            lambda text: self._decoder.windows(self._decoder.mask_control_tokens(text), size),
            lambda answer: len(self._decoder.answer_ids(answer)),
        )
        if not longest:
            return list_limit(size, attributes=bool(self._task.attributes))
        return answer_limit(longest)

    def _prompt(self, text: str, selected: Sequence[Document], limit: int) -> list[int]:
        """Fits the model's context: examples give way, from the least similar."""
        examples = [(self._example_text(e), e) for e in selected]
        while True:
            messages = self._prompts.messages(text, examples)
            ids = self._decoder.prompt_ids(messages, self._prompts.plain(messages))
            if len(ids) <= self._decoder.context - limit:
                return ids
            if not examples:
                raise self._too_long()
            examples = examples[1:]

    def _too_long(self) -> ConfigError:
        return ConfigError(
            f"the prompt does not fit the model's {self._decoder.context} tokens",
            where=f"arms.{self._name}.options",
            fix="shorten the instruction or lower max_new_tokens",
        )
