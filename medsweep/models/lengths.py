"""How long texts are for a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medsweep.errors import ModelError
from medsweep.models.resolve import ModelFolder, resolve


@dataclass(frozen=True, slots=True)
class Lengths:
    """Texts in a model's tokens, special ones included.

    Attributes:
        longest: tokens that the model can take.
        median: tokens of the median text.
        most: tokens of the longest text.
        over: texts longer than the model can take.
        window: tokens that are read at once: at most ``longest``.
        over_window: texts longer than that: training cuts them into overlapping windows.
    """

    longest: int
    median: int
    most: int
    over: int
    window: int
    over_window: int


def token_lengths(texts: Sequence[str], reference: str, max_length: int) -> Lengths:
    """Lengths of ``texts`` (one or more) for a model; its weights are not loaded.

    ``max_length`` is that of the sweep file's ``training``.

    Raises:
        ModelError: there is no such model, or its tokenizer or configuration cannot be read.
    """
    longest, counts = token_counts(texts, resolve(reference))
    counts, window = sorted(counts), min(max_length, longest)
    return Lengths(
        longest,
        counts[len(counts) // 2],
        counts[-1],
        sum(n > longest for n in counts),
        window,
        sum(n > window for n in counts),
    )


def token_counts(texts: Sequence[str], folder: ModelFolder) -> tuple[int, list[int]]:
    """Tokens that a model can take, and those of each text.

    Raises:
        ModelError: its tokenizer or configuration cannot be read.
    """
    tokenizer, longest = _reader(folder)
    return longest, [len(tokenizer(text, verbose=False)["input_ids"]) for text in texts]


def unknown_share(
    texts: Sequence[str], folder: ModelFolder, *, trust_remote_code: bool = False
) -> float:
    """The share of the tokens of ``texts`` that say no more than that something is there.

    Raises:
        ModelError: it is more than half, nothing is read, or the tokenizer cannot be read.
    """
    tokenizer, _ = _reader(folder, trust_remote_code=trust_remote_code)
    ids = [
        i
        for text in texts
        for i in tokenizer(text, verbose=False, add_special_tokens=False)["input_ids"]
    ]
    unknown = ids.count(tokenizer.unk_token_id)
    if not ids or unknown > len(ids) / 2:
        raise ModelError(
            f"its tokenizer cannot read the texts: {unknown} of {len(ids)} tokens are unknown",
            where=folder.reference,
            fix="copy the model's own tokenizer into its folder, or use a model of the language",
        )
    return unknown / len(ids)


def _reader(folder: ModelFolder, *, trust_remote_code: bool = False) -> tuple[Any, int]:
    """A model's tokenizer, and the tokens that the model can take."""
    from transformers import AutoConfig

    from medsweep.models.quiet import quiet_transformers
    from medsweep.models.tokenizer import load_tokenizer, longest_input

    try:
        with quiet_transformers():
            tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
            config = AutoConfig.from_pretrained(folder.path, trust_remote_code=trust_remote_code)
            return tokenizer, longest_input(config, tokenizer)
    except (ValueError, KeyError, OSError, ImportError) as error:
        raise ModelError(
            f"its tokenizer or configuration cannot be read ({type(error).__name__})",
            where=folder.reference,
        ) from None
