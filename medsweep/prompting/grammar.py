"""Which tokens may come next, so that what is written is an answer (constrained decoding)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch


class Grammar:
    """A JSON schema over a tokenizer's vocabulary, by llguidance.

    Args:
        schema: of the answer.
        tokenizer: a fast one.
        vocabulary: tokens that the model has a logit for.
        end_tokens: those that may follow a whole answer; none leaves the tokenizer's own.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        tokenizer: Any,
        vocabulary: int,
        end_tokens: Collection[int],
    ) -> None:
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        self._tokens = from_tokenizer(
            tokenizer, n_vocab=vocabulary, eos_token=sorted(end_tokens) or None
        )
        # Spaced as `json.dumps` does, which is how examples are shown and tuned models taught.
        spacing: Any = {
            "whitespace_flexible": False,
            "item_separator": ", ",
            "key_separator": ": ",
        }
        self._grammar = LLMatcher.grammar_from_json_schema(dict(schema), overrides=spacing)
        self._matcher = LLMatcher

    def begin(self) -> Any:
        """The state of an answer of which nothing is written."""
        return self._matcher(self._tokens, self._grammar)


def mask_logits(logits: torch.Tensor, states: Sequence[Any]) -> torch.Tensor:
    """Logits without the tokens that no answer goes on with: (rows, vocabulary)."""
    bits = np.stack([np.frombuffer(s.compute_bitmask(), dtype=np.uint8) for s in states])
    allowed = np.unpackbits(bits, axis=1, bitorder="little")[:, : logits.shape[1]]
    mask = torch.from_numpy(allowed == 0).to(logits.device)
    return logits.masked_fill(mask, float("-inf"))
