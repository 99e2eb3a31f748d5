from pathlib import Path
from types import SimpleNamespace

import pytest

from medsweep.errors import ModelError
from medsweep.models.lengths import Lengths, token_counts, token_lengths, unknown_share
from medsweep.models.resolve import ModelFolder
from medsweep.models.tokenizer import longest_input


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


@pytest.mark.parametrize("kind", ["mpnet", "data2vec-text", "xmod", "longformer"])
def test_positions_behind_the_padding_index_are_not_counted(kind: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModel

    more = {"attention_window": 4} if kind == "longformer" else {}
    more |= {"languages": ["en_XX"], "default_language": "en_XX"} if kind == "xmod" else {}
    config = AutoConfig.for_model(
        kind, vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=18, pad_token_id=1, **more,
    )  # fmt: skip
    model = AutoModel.from_config(config).eval()
    longest = longest_input(config, SimpleNamespace(model_max_length=512))
    assert longest == 16
    with torch.no_grad():
        model(torch.full((1, longest), 5))
        with pytest.raises((IndexError, RuntimeError)):
            model(torch.full((1, 17), 5))


def test_xlnet_has_no_limit_of_its_own() -> None:
    from transformers import XLNetConfig

    assert longest_input(XLNetConfig(), SimpleNamespace(model_max_length=512)) == 512


def test_a_tokenizer_that_cannot_read_the_texts_is_refused(tiny_bert: Path) -> None:
    folder = ModelFolder("mine", "mine", tiny_bert, 0)
    assert unknown_share(["pain and fever"], folder) == 0
    assert unknown_share(["pain and fever \u0436"], folder) == 0.25
    for texts, said in ((["pain \u0436 \u0438"], "2 of 3 tokens"), ([" "], "0 of 0 tokens")):
        with pytest.raises(ModelError, match=f"cannot read the texts: {said}"):
            unknown_share(texts, folder)
