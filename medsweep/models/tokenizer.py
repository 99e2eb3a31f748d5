"""A model's tokenizer, and how much it can read. Imports no torch: counting tokens needs none."""

from __future__ import annotations

from typing import Any

from medsweep.errors import ModelError
from medsweep.models.resolve import ModelFolder

# RoBERTa's kind: positions start behind the padding index, which is 1.
BEHIND_PADDING = frozenset(
    (
        "camembert",
        "data2vec-text",
        "ibert",
        "lilt",
        "longformer",
        "luke",
        "markuplm",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    )
)


def load_tokenizer(folder: ModelFolder, *, trust_remote_code: bool = False) -> Any:
    """A tokenizer that gives character offsets, has a padding token, and pads on the right.

    Raises:
        ModelError: the model has no tokenizer, no fast one, or none that can pad.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder.path, trust_remote_code=trust_remote_code)
    # transformers makes one without words where the folder has none.
    files = {"tokenizer.json", "tekken.json", *tokenizer.vocab_files_names.values()}
    if not any((folder.path / name).is_file() for name in files):
        raise ModelError(
            "has no tokenizer",
            where=folder.reference,
            fix="copy the model's tokenizer.json and tokenizer_config.json into its folder",
        )
    if not tokenizer.is_fast:
        raise ModelError(
            "its tokenizer gives no character offsets",
            where=folder.reference,
            fix="use a model with a fast tokenizer (tokenizer.json)",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise ModelError(
            "its tokenizer has no token to pad with",
            where=folder.reference,
            fix="name a pad_token in its tokenizer_config.json",
        )
    tokenizer.padding_side = "right"
    return tokenizer


def longest_input(config: Any, tokenizer: Any) -> int:
    """Tokens that a model can take, special ones included."""
    positions = int(getattr(config, "max_position_embeddings", None) or 1 << 30)
    if positions < 0:  # XLNet's way to say that there is no limit
        positions = 1 << 30
    if config.model_type in BEHIND_PADDING:
        positions -= 2
    return min(positions, int(min(tokenizer.model_max_length, 1 << 30)))
