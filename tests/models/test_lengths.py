from pathlib import Path

import pytest

from medsweep.errors import ModelError
from medsweep.models.lengths import Lengths, token_counts, token_lengths
from medsweep.models.resolve import ModelFolder


def test_texts_are_counted_in_tokens_with_special_ones(tiny_bert: Path) -> None:
    texts = [" ".join(["pain"] * n) for n in (1, 30, 70)]
    assert token_lengths(texts, str(tiny_bert), 20) == Lengths(
        longest=64, median=32, most=72, over=1, window=20, over_window=2
    )
    assert token_lengths(texts, str(tiny_bert), 512).window == 64


def test_a_tokenizer_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(ModelError, match="tokenizer or configuration cannot be read") as caught:
        token_counts(["pain"], ModelFolder("mine", "mine", tmp_path, 0))
    assert caught.value.where == "mine"
