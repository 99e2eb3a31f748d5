from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from medsweep.errors import ModelError
from medsweep.models.load import load_base
from medsweep.models.quiet import quiet_transformers
from medsweep.models.resolve import ModelFolder
from medsweep.models.tokenizer import load_tokenizer, longest_input
from tests.training.conftest import ENTITIES, BaseOf, base_of, folders
from tests.training.shapes import make_model, the_task

__all__ = ["base_of", "folders"]  # Fixtures are found by name.


def test_a_base_is_frozen_and_still(base_of: BaseOf) -> None:
    base = base_of("llama", ENTITIES)
    assert not base.model.training
    assert not any(p.requires_grad for p in base.model.parameters())
    assert base.model.config.pad_token_id == base.tokenizer.pad_token_id == 0
    assert base.model.config.num_labels == 5


def test_the_head_does_not_depend_on_what_ran_before(tmp_path: Path) -> None:
    folder, task = make_model("bert", tmp_path), the_task("classification")
    one = load_base(folder, task, device="cpu")
    torch.rand(3)
    other = load_base(folder, task, device="cpu")
    torch.testing.assert_close(one.model.state_dict(), other.model.state_dict(), rtol=0, atol=0)
    assert set(one.heads) == {"classifier", "pooler"}
    assert one.model.config.id2label == {0: "current", 1: "former", 2: "never"}


def test_labels_that_do_not_exclude_each_other_are_said_to_plain_transformers(
    tmp_path: Path,
) -> None:
    base = load_base(make_model("bert", tmp_path), the_task("multilabel"), device="cpu")
    assert base.model.config.problem_type == "multi_label_classification"


def test_a_language_model_has_no_head_of_ours(tmp_path: Path) -> None:
    from tests.training.writers import make_writer

    task = the_task("classification")
    base = load_base(make_writer("llama", tmp_path), task, method="generate", device="cpu")
    assert base.heads == ()
    assert base.method == "generate"


def test_what_cannot_write_is_refused(tmp_path: Path) -> None:
    task = the_task("classification")
    with pytest.raises(ModelError, match="no language-model head"):
        load_base(make_model("llama", tmp_path / "headless"), task, method="generate")
    with quiet_transformers():
        small = BertConfig(
            vocab_size=14, hidden_size=16, intermediate_size=8, num_hidden_layers=1,
            num_attention_heads=2,
        )  # fmt: skip
        folder = make_model("bert", tmp_path / "bert")
        BertForMaskedLM(small).save_pretrained(folder.path)
    with pytest.raises(ModelError, match="in both directions"):
        load_base(folder, task, method="likelihood")


def test_what_cannot_be_loaded_is_named_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(ModelError, match="cannot be loaded for ner by head") as caught:
        load_base(ModelFolder("mine", "mine", tmp_path, 0), the_task("ner"))
    assert caught.value.where == "mine"


def test_a_tokenizer_pads_on_the_right_with_what_it_has(folders: dict[str, Path]) -> None:
    tokenizer = load_tokenizer(ModelFolder("gpt2", "gpt2", folders["gpt2"], 0))
    assert tokenizer.pad_token == "<eos>"
    assert tokenizer.padding_side == "right"


def test_the_longest_input_is_what_positions_and_tokenizer_allow(base_of: BaseOf) -> None:
    base = base_of("llama", ENTITIES)
    assert longest_input(base.model.config, base.tokenizer) == base.longest == 64
    from transformers import RobertaConfig

    roberta = RobertaConfig(max_position_embeddings=34)
    assert longest_input(roberta, base.tokenizer) == 32
