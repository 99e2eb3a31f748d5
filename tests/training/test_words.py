from typing import Any

import pytest
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerFast

from medsweep.training.words import ending_at_punctuation


def pieces(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    return [p for p, _ in tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (None, ["Mül", " (", "12", ".", "3", ")", ")", ",", " e"]),
        (pre_tokenizers.Metaspace(), ["▁Mül", "▁(", "12", ".", "3", ")", ")", ",", "▁e"]),
        (
            pre_tokenizers.ByteLevel(add_prefix_space=False),
            ["MÃ¼l", "Ġ(", "12", ".", "3", ")", ")", ",", "Ġe"],
        ),
    ],
    ids=["none", "sentencepiece", "bytes"],
)
def test_no_token_joins_letters_with_punctuation(before: Any, expected: list[str]) -> None:
    inner = Tokenizer(Unigram([("<unk>", 0.0)], unk_id=0))
    if before is not None:
        inner.pre_tokenizer = before
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", pad_token="<unk>"
    )
    changed = ending_at_punctuation(tokenizer)
    assert pieces(changed, "Mül (12.3)), e") == expected
    assert changed is not tokenizer
    assert ending_at_punctuation(changed) is changed


def test_berts_tokenizer_ends_at_punctuation_already() -> None:
    inner = Tokenizer(Unigram([("<unk>", 0.0)], unk_id=0))
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", pad_token="<unk>"
    )
    assert ending_at_punctuation(tokenizer) is tokenizer
