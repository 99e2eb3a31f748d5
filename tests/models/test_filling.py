"""Weights that do not fit are refused, not replaced by random ones."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification, DistilBertConfig

from medsweep.errors import ModelError
from medsweep.models.check import check_model
from medsweep.models.load import load_base
from medsweep.models.resolve import ModelFolder
from tests.training.shapes import CONFIGS, make_model, the_task

TASK = the_task("classification")


def renamed(folder: ModelFolder, name: Callable[[str], str | None]) -> ModelFolder:
    """The folder with other names for its tensors; those that get none are left out."""
    file = folder.path / "model.safetensors"
    tensors = {new: t for n, t in load_file(file).items() if (new := name(n)) is not None}
    save_file(tensors, file, metadata={"format": "pt"})
    return folder


def configured(folder: ModelFolder, **changes: object) -> ModelFolder:
    file = folder.path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return folder


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "auto_model.", "0.auto_model.", "encoder.", "model.bert.", "model."],
)
def test_a_wrappers_prefix_is_taken_off_and_told(prefix: str, tmp_path: Path) -> None:
    plain = load_base(make_model("bert", tmp_path / "plain"), TASK, device="cpu")
    folder = renamed(make_model("bert", tmp_path / "wrapped"), lambda n: prefix + n)
    base = load_base(folder, TASK, device="cpu")
    torch.testing.assert_close(base.model.state_dict(), plain.model.state_dict(), rtol=0, atol=0)
    found = check_model(folder, "classification", "head")
    assert found is not None
    assert found.prefix == prefix.removesuffix("bert.")


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_a_missing_tensor_of_the_body_is_named(kind: str, tmp_path: Path) -> None:
    folder = renamed(
        make_model(kind, tmp_path), lambda n: None if "s.1." in n or "r.1." in n else n
    )
    for use in (
        lambda: load_base(folder, TASK, device="cpu"),
        lambda: check_model(folder, "classification", "head"),
        lambda: check_model(folder, "ner", "head"),
        lambda: check_model(folder, "classification", "probe"),
    ):
        with pytest.raises(ModelError, match=r"tensors are not in its files: .*1\.") as caught:
            use()
        assert "\n" not in str(caught.value)
        assert caught.value.problem.count(", ") == 2


@pytest.mark.parametrize(
    "changes",
    [
        {**DistilBertConfig().to_dict(), "dim": 16, "hidden_dim": 24, "n_layers": 3, "n_heads": 2},
        {"num_hidden_layers": 4},
        {"num_hidden_layers": 2},
        {"vocab_size": 20},
        {"intermediate_size": 32},
    ],
)
def test_another_models_configuration_is_refused(
    changes: dict[str, object], tmp_path: Path
) -> None:
    folder = configured(make_model("bert", tmp_path), **changes)
    with pytest.raises(ModelError, match=r"do not fit its config\.json"):
        check_model(folder, "classification", "head")
    with pytest.raises(ModelError, match=r"do not fit its config\.json"):
        load_base(folder, TASK, device="cpu")


def test_a_pooler_that_the_files_lack_belongs_to_the_head(tmp_path: Path) -> None:
    folder = renamed(make_model("bert", tmp_path), lambda n: None if "pooler" in n else n)
    base = load_base(folder, TASK, device="cpu")
    assert set(base.heads) == {"classifier", "pooler"}
    found = check_model(folder, "classification", "head")
    assert found is not None
    body = base.model.bert
    assert found.parameters == sum(
        p.numel() for n, p in body.named_parameters() if "pooler" not in n
    )


def test_a_head_for_other_labels_is_replaced_and_told(tmp_path: Path) -> None:
    folder = make_model("bert", tmp_path)
    config = BertConfig(**{**CONFIGS["bert"].to_dict(), "num_labels": 7})
    tuned = BertForSequenceClassification(config)
    tuned.save_pretrained(folder.path)
    base = load_base(folder, TASK, device="cpu")
    assert base.model.classifier.weight.shape == (3, 16)
    words = "embeddings.word_embeddings.weight"
    body: dict[str, Tensor] = base.model.bert.state_dict()
    torch.testing.assert_close(body[words], tuned.bert.state_dict()[words], rtol=0, atol=0)
    found = check_model(folder, "classification", "head")
    assert found is not None
    assert found.labels == 7


def test_tied_weights_and_files_beside_the_model_count_once(tmp_path: Path) -> None:
    from tests.training.writers import make_writer

    folder = make_writer("gpt2", tmp_path)
    whole = load_file(folder.path / "model.safetensors")
    save_file(whole, folder.path / "consolidated.safetensors")
    base = load_base(folder, TASK, method="generate", device="cpu")
    found = check_model(folder, "classification", "generate")
    assert found is not None
    assert found.parameters == sum(p.numel() for p in base.model.parameters())


def test_tokens_behind_the_embedding_are_refused(tmp_path: Path) -> None:
    folder = configured(make_model("bert", tmp_path), vocab_size=10)
    file = folder.path / "model.safetensors"
    tensors = load_file(file)
    tensors["embeddings.word_embeddings.weight"] = torch.zeros(10, 16)
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="up to 13, and its embedding has 10 rows"):
        check_model(folder, "classification", "head")


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_folder_without_a_tokenizer_is_refused(kind: str, tmp_path: Path) -> None:
    folder = make_model(kind, tmp_path)
    for file in tmp_path.glob("tokenizer*"):
        file.unlink()
    for use in (
        lambda: load_base(folder, TASK, device="cpu"),
        lambda: check_model(folder, "classification", "head"),
    ):
        with pytest.raises(ModelError, match="has no tokenizer"):
            use()
