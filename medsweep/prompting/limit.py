"""How long an answer may be: room for the longest right one, and a margin. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from medsweep.corpus import Document
from medsweep.prompting.prompt import Prompts
from medsweep.prompting.window import TextWindow, excerpt

# Tokens that a list of mentions may take: for each token of text, in any case, and at most. With
# attributes twice as much.
_A_TOKEN, _AT_LEAST, _AT_MOST = 4, 16, 1024
# Beside half of the longest known answer: a mention more, other white space, a sentence.
_MARGIN = 32


def answer_limit(longest: int) -> int:
    """Tokens of an answer where the longest known one has ``longest``."""
    return longest + longest // 2 + _MARGIN


def longest_answer(
    prompts: Prompts,
    documents: Iterable[Document],
    windows: Callable[[str], list[TextWindow]],
    count: Callable[[str], int],
) -> int:
    """The longest right answer to a question about a window of ``documents``; 0 without gold.

    Of labels, the longest that there could be, whatever the documents have.

    Args:
        prompts: how answers are written.
        documents: with gold, those for training.
        windows: of a text.
        count: tokens, or anything else, of an answer.
    """
    if prompts.kind == "classification":
        return max(count(prompts.answer(Document("", "", label=n), "")) for n in prompts.labels)
    if prompts.kind == "multilabel":
        return count(prompts.answer(Document("", "", labels=prompts.labels), ""))
    parts = (excerpt(d, w.start, w.end) for d in documents if d.spans for w in windows(d.text))
    return max((count(prompts.answer(part, part.text)) for part in parts if part.spans), default=0)


def list_limit(text: int, *, attributes: bool) -> int:
    """Tokens of a list of mentions in ``text`` tokens of which nothing else is known."""
    return (2 if attributes else 1) * min(_AT_MOST, _AT_LEAST + _A_TOKEN * max(0, text))


def text_beside_list(free: int, *, attributes: bool) -> int:
    """Tokens of text that fit into ``free`` beside the list of its mentions."""
    times = 2 if attributes else 1
    return max(free - times * _AT_MOST, (free - times * _AT_LEAST) // (1 + times * _A_TOKEN))
