"""Prompts and answers as a model's tokens, and texts by how many they have. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medsweep.errors import ModelError
from medsweep.prompting.prompt import Message
from medsweep.prompting.window import OVERLAP, TextWindow, text_windows

_CUT = " … "


class PromptTokenizer:
    """A tokenizer with what its model's chat template makes of a conversation.

    Args:
        tokenizer: a fast one.

    Attributes:
        chat: whether it has a template.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._control = [t for t in tokenizer.all_special_tokens if t]
        self.chat = bool(tokenizer.chat_template)

    def prompt_ids(self, messages: Sequence[Message], plain: str) -> list[int]:
        """Token ids of a conversation by the chat template, or of ``plain`` without one."""
        if not self.chat:
            return list(self._tokenizer(plain, verbose=False)["input_ids"])
        text = self._tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        return self._ids(text)

    def answer_ids(self, answer: str) -> list[int]:
        """Token ids of an answer, as it follows a prompt."""
        return self._ids(answer if self.chat else f" {answer}")

    def end_token(self) -> int:
        """The token that ends an answer: the template's end of turn, else end of text.

        Raises:
            ModelError: the tokenizer has neither.
        """
        if self.chat:
            turn = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
            text = str(self._tokenizer.apply_chat_template(turn, tokenize=False))
            behind = self._ids(text.rpartition("!")[2].lstrip())
            if behind and behind[0] in self._tokenizer.all_special_ids:
                return behind[0]
        if self._tokenizer.eos_token_id is None:
            raise ModelError(
                "its tokenizer has no token that ends a text",
                where=type(self._tokenizer).__name__,
                fix="use method: head, or another model",
            )
        return int(self._tokenizer.eos_token_id)

    def clip(self, text: str, size: int) -> str:
        """At most about ``size`` tokens of a text: beginning and end, where notes say most."""
        for token in self._control:
            text = text.replace(token, " ")
        places = self._offsets(text)
        if len(places) <= size:
            return text
        half = size // 2
        return text[: places[size - half - 1][1]] + _CUT + text[places[-half][0] :]

    def windows(self, text: str, size: int) -> list[TextWindow]:
        """Overlapping windows of at most ``size`` tokens, which together are the whole text.

        They begin and end at white space, where there is some near.
        """
        places = self._offsets(text)
        shared = max(2, int(OVERLAP * size))
        bounds: list[tuple[int, int]] = []
        start = 0
        while start + size < len(places):
            stop = start + size
            # No window gives up more than half of what it shares, so that no gap can open.
            middle = stop - shared // 2
            space = text.rfind(" ", places[middle][0], places[stop - 1][1])
            end = space if space > 0 else places[stop - 1][1]
            bounds.append((places[start][0] if start else 0, end))
            words = (i for i in range(stop - shared, middle) if _begins_word(text, places[i]))
            start = max(start + 1, next(words, stop - shared))
        return text_windows([*bounds, (places[start][0] if start else 0, len(text))])

    def mask_control_tokens(self, text: str) -> str:
        """As long as before, without the model's control tokens, which could end the turn."""
        for token in self._control:
            text = text.replace(token, " " * len(token))
        return text

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        encoded = self._tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return [(int(a), int(b)) for a, b in encoded["offset_mapping"]]


def _begins_word(text: str, place: tuple[int, int]) -> bool:
    start = place[0]
    return text[start : start + 1].isspace() or start == 0 or text[start - 1].isspace()
