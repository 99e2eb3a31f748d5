"""A model's tokenizer, and how much it can read. Imports no torch: counting tokens needs none."""

from __future__ import annotations

from typing import Any

from medsweep.errors import ModelError
from medsweep.models.resolve import ModelFolder


def load_tokenizer(folder: ModelFolder, *, trust_remote_code: bool = False) -> Any:
    """A tokenizer that gives character offsets, has a padding token, and pads on the right.

    Raises:
        ModelError: the model has no fast tokenizer.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder.path, trust_remote_code=trust_remote_code)
    if not tokenizer.is_fast:
        raise ModelError(
            "its tokenizer gives no character offsets",
            where=folder.reference,
            fix="use a model with a fast tokenizer (tokenizer.json)",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    tokenizer.padding_side = "right"
    return tokenizer


def longest_input(config: Any, tokenizer: Any) -> int:
    """Tokens that a model can take, special ones included."""
    positions = int(getattr(config, "max_position_embeddings", None) or 1 << 30)
    # RoBERTa's positions start behind the padding index.
    if config.model_type in ("roberta", "xlm-roberta", "camembert"):
        positions -= 2
    return min(positions, int(min(tokenizer.model_max_length, 1 << 30)))
