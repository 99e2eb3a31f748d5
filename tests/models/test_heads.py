"""What loading did not fill is trained and handed over, whatever its name."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModel, EuroBertConfig, FlaubertConfig

from medsweep.models.load import load_base
from medsweep.models.quiet import quiet_peft
from medsweep.models.resolve import ModelFolder
from medsweep.training.adapter import fresh_adapter, save_adapter, trainable
from medsweep.training.recipe import Recipe
from tests.training.shapes import _COMMON, _DECODER, the_task, tokenizer

CONFIGS: dict[str, Any] = {
    "eurobert": EuroBertConfig(**_DECODER, classifier_pooling="bos"),
    "flaubert": FlaubertConfig(
        n_words=_COMMON["vocab_size"],
        emb_dim=16,
        n_layers=2,
        n_heads=2,
        pad_index=0,
        pad_token_id=0,
        max_position_embeddings=64,
    ),
}
HEADS = {"eurobert": {"dense", "classifier"}, "flaubert": {"sequence_summary"}}


@pytest.mark.parametrize("kind", CONFIGS)
def test_an_adapter_gives_the_same_on_a_base_of_another_seed(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    AutoModel.from_config(CONFIGS[kind]).save_pretrained(tmp_path / "base")
    tokenizer().save_pretrained(tmp_path / "base")
    folder = ModelFolder(str(tmp_path / "base"), kind, tmp_path / "base", 0)
    task = the_task("classification")
    base = load_base(folder, task, device="cpu")
    assert set(base.heads) == HEADS[kind]
    recipe = Recipe(rank=2)
    adapted = fresh_adapter(base, task, recipe)
    save_adapter(base, task, recipe, trainable(adapted), tmp_path / "adapter")
    words = {"input_ids": torch.tensor([[2, 5, 7, 9, 3]])}
    for seed in (1, 2):
        other = load_base(folder, task, device="cpu", seed=seed)
        with quiet_peft(), torch.no_grad():
            again = PeftModel.from_pretrained(other.model, str(tmp_path / "adapter")).eval()
            torch.testing.assert_close(again(**words).logits, adapted(**words).logits)
