"""Words that mentions can end at."""

from __future__ import annotations

import copy
from typing import Any

from tokenizers import Regex, pre_tokenizers

# With the space before it, or SentencePiece's sign for one.
_MARK = r"[ ▁]?[^\s\p{L}\p{M}\p{N}▁]"


def ending_at_punctuation(tokenizer: Any) -> Any:
    """A tokenizer none of whose tokens joins letters or digits with a mark of punctuation.

    Mentions end before commas and brackets, and a token is tagged as a whole. SentencePiece's
    pieces may hold both (``2006).``); BERT's never do, and such a tokenizer is given back as it
    is. Other text is split into the same tokens as before.

    Args:
        tokenizer: a fast one; not changed.
    """
    before = tokenizer.backend_tokenizer.pre_tokenizer
    if before is not None and _pieces(before, "a)).b") == [*"a)).b"]:
        return tokenizer
    changed = copy.deepcopy(tokenizer)
    mark = pre_tokenizers.Split(Regex(_MARK), "isolated")
    if before is None:
        changed.backend_tokenizer.pre_tokenizer = mark
    else:
        # Behind a byte-level one a letter may be several characters, some of them punctuation.
        bytewise = _pieces(before, "ü") != ["ü"]
        order = [mark, before] if bytewise else [before, mark]
        changed.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(order)
    return changed


def _pieces(splitter: Any, text: str) -> list[str]:
    return [piece.lstrip("▁Ġ") for piece, _ in splitter.pre_tokenize_str(text)]
