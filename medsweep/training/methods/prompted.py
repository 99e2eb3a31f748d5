"""What both methods that prompt share: prompts, answers behind them, and their loss."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from medsweep.corpus import Document
from medsweep.models.load import Base
from medsweep.prompting.decoder import Decoder
from medsweep.prompting.prompt import Prompts
from medsweep.prompting.window import MIN_WINDOW, TextWindow, excerpt, largest_window
from medsweep.tasks import Task
from medsweep.training.encode import IGNORED, Window
from medsweep.training.prefix import pad
from medsweep.training.recipe import TrialError

_NOTHING = np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True)
class PromptedWindow(Window):
    """A question about a window of a document, and answers behind it.

    ``ids`` are the prompt's tokens and each answer's but for its last: nothing comes behind it.

    Attributes:
        answers: tokens of each, with the one that ends it. One where it is taught, several where
            they are compared, none where it is to be written.
        text_window: of the document.
    """

    answers: tuple[tuple[int, ...], ...] = field(default=(), repr=False)
    text_window: TextWindow = field(default_factory=TextWindow)

    @property
    def branches(self) -> tuple[int, ...]:
        """Several answers do not see each other."""
        return tuple(len(a) - 1 for a in self.answers) if len(self.answers) > 1 else ()

    @property
    def logit_positions(self) -> list[int]:
        """Of each token of each answer, in order: where the token stands that predicts it."""
        lengths = [len(a) - 1 for a in self.answers]
        stem, positions = len(self.ids) - sum(lengths), list[int]()
        start = stem
        for length in lengths:
            positions += [stem - 1, *range(start, start + length)]
            start += length
        return positions

    def with_answers(self, answers: Sequence[tuple[int, ...]]) -> PromptedWindow:
        """This question with answers behind it."""
        ids = (*self.ids, *(token for answer in answers for token in answer[:-1]))
        window = replace(self, ids=ids, answers=tuple(answers))
        return replace(window, key=_key(ids, window.branches))


class PromptedMethod(ABC):
    """Prompts of the zero-shot arm, with answers to learn and room to write them.

    Args:
        base: loaded as a language model.
        task: what is asked.
        as_json: whether answers are JSON.
    """

    peft_type: Literal["CAUSAL_LM"] = "CAUSAL_LM"
    by_token = False

    def __init__(self, base: Base, task: Task, *, as_json: bool) -> None:
        self._base, self._task = base, task
        self.classes = len(task.labels) if task.kind == "classification" else 0
        self.prompts = Prompts.of(task, names={}, instruction=None, as_json=as_json)
        self._decoder = Decoder(base.model, base.tokenizer)
        self.end_token = self._decoder.end_token()
        self.overhead = len(self.prompt(""))
        self._index = {label: i for i, label in enumerate(task.labels)}

    def prompt(self, text: str) -> list[int]:
        """Token ids of the question about ``text``."""
        messages = self.prompts.messages(self._decoder.mask_control_tokens(text))
        return self._decoder.prompt_ids(messages, self.prompts.plain(messages))

    def answer(self, document: Document) -> tuple[int, ...]:
        """Token ids of the right answer to the question about ``document``, end included.

        The end makes answers comparable: without it, one that begins another is always likelier.
        """
        answer = self.prompts.answer(document, document.text)
        return (*self._decoder.answer_ids(answer), self.end_token)

    @abstractmethod
    def answer_limit(self, prompt: int) -> int:
        """Tokens that an answer may take behind ``prompt`` tokens; never falling with them."""

    @abstractmethod
    def text_room(self, free: int) -> int:
        """Tokens of text that, with the answer, fit into ``free``."""

    def encode(
        self, documents: Sequence[Document], max_length: int, *, for_training: bool
    ) -> list[Window]:
        """A question about each window of each document.

        Raises:
            TrialError: the model has no room for a document beside what is asked.
        """
        left = self.text_room(self._base.longest - self.overhead)
        length = min(max_length, largest_window(left))
        if length < MIN_WINDOW:
            raise TrialError(
                f"the question and its answer leave no room in the model's {self._base.longest} "
                "tokens; use method: head, or another model"
            )
        windows: list[Window] = []
        for number, document in enumerate(documents):
            windows += self._windows(number, document, length, for_training)
        return windows

    def _windows(
        self, number: int, document: Document, length: int, for_training: bool
    ) -> Iterator[Window]:
        for text_window in self._decoder.windows(document.text, length):
            part = excerpt(document, text_window.start, text_window.end)
            prompt = self.prompt(part.text)
            target = self._target(document) if for_training else None
            question = PromptedWindow(
                number,
                tuple(prompt),
                _NOTHING,
                _NOTHING,
                target,
                _key(prompt),
                text_window=text_window,
            )
            if target is None:
                yield from self._scored_windows(question)
            else:
                yield question.with_answers([self._shortened_answer(part, len(prompt))])

    def _scored_windows(self, question: PromptedWindow) -> list[PromptedWindow]:
        """What is read to answer ``question``."""
        return [question]

    def _target(self, document: Document) -> int | tuple[int, ...] | None:
        """The class, for its weight in the loss; nothing to weigh for labels and mentions."""
        if self._task.kind == "classification":
            return None if document.label is None else self._index.get(document.label)
        gold = document.labels if self._task.kind == "multilabel" else document.spans
        return None if gold is None else ()

    def _shortened_answer(self, part: Document, prompt: int) -> tuple[int, ...]:
        """The answer; the last mentions are left out where it could never be written whole."""
        answer = self.answer(part)
        while part.spans and len(answer) > self.answer_limit(prompt):
            part = replace(part, spans=part.spans[:-1])
            answer = self.answer(part)
        return answer

    def logits(self, model: Any, windows: Sequence[Window]) -> Tensor:
        """(windows, most tokens of answers, vocabulary); computed nowhere else."""
        with logits_at(model, [prompted(w).logit_positions for w in windows]):
            logits: Tensor = model(**pad(windows, self._base)).logits
        return logits

    def loss(
        self, logits: Tensor, windows: Sequence[Window], weights: Tensor, count: int
    ) -> Tensor:
        """Of each window the mean over its answer's tokens, weighed by class; over ``count``."""
        target = torch.full(logits.shape[:2], IGNORED)
        for row, window in enumerate(windows):
            (answer,) = prompted(window).answers
            target[row, : len(answer)] = torch.tensor(answer)
        target = target.to(logits.device)
        each = F.cross_entropy(
            logits.flatten(0, 1), target.flatten(), ignore_index=IGNORED, reduction="none"
        ).view(target.shape)
        means = each.sum(1) / (target != IGNORED).sum(1)
        if self.classes:
            classes = torch.tensor([w.target for w in windows], device=weights.device)
            means = means * weights[classes]
        return means.sum() / count

    def count(self, windows: Sequence[Window]) -> int:
        """Windows."""
        return max(1, len(windows))


def prompted(window: Window) -> PromptedWindow:
    """A window that a prompted method made."""
    assert isinstance(window, PromptedWindow)
    return window


def _key(ids: Sequence[int], branches: Sequence[int] = ()) -> bytes:
    numbers = [len(branches), *branches, *ids]
    return hashlib.sha256(np.asarray(numbers, dtype=np.int64).tobytes()).digest()


@contextmanager
def logits_at(model: Any, positions: Sequence[Sequence[int]]) -> Iterator[None]:
    """Within the body, ``model`` gives logits of these positions only, each row's own first.

    The hidden states are chosen on their way into the language-model head, so that whatever an
    architecture does to logits behind it is still done.

    Args:
        model: a language model.
        positions: of each row.
    """
    most = max(map(len, positions))
    # Rows with fewer repeat their last one; nobody reads it.
    chosen = torch.tensor([[*p, *([p[-1]] * (most - len(p)))] for p in positions])

    def choose(_head: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        rows = torch.arange(len(positions), device=args[0].device)[:, None]
        return (args[0][rows, chosen.to(args[0].device)], *args[1:])

    hook = model.get_output_embeddings().register_forward_pre_hook(choose)
    try:
        yield
    finally:
        hook.remove()
