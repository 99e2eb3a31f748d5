"""Models that would go wrong are refused before anything is trained, all at once."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import BertConfig, BertForSequenceClassification, BertModel

from medsweep.config import load_sweep
from medsweep.errors import InputErrors
from medsweep.plan.build import make_plan


def _cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def _without_shard(folder: Path) -> None:
    model = BertModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    next(folder.glob("model-00002-*")).unlink()


def _without_index(folder: Path) -> None:
    _without_shard(folder)
    (folder / "model.safetensors.index.json").unlink()


def _wider(folder: Path) -> None:
    _configure(folder, intermediate_size=128)


def _of_another_kind(folder: Path) -> None:
    _configure(folder, model_type="vit")


def _without_tokenizer(folder: Path) -> None:
    for file in (*folder.glob("tokenizer*"), folder / "vocab.txt"):
        file.unlink()


def _configure(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def _with_a_decoder(folder: Path) -> None:
    _configure(folder, model_type="bart", is_encoder_decoder=True)


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut": (_cut, "cut off after"),
    "shard": (_without_shard, "weight files are missing"),
    "index": (_without_index, "the index of them is missing"),
    "wider": (_wider, "do not fit its config.json"),
    "image": (_of_another_kind, "has no architecture for classification by head"),
    "two-stacks": (_with_a_decoder, "is a sequence-to-sequence model"),
    "mute": (_without_tokenizer, "has no tokenizer"),
}


def test_every_broken_model_is_refused_in_one_go(
    sweep_file: Callable[..., Path], tiny_bert: Path, tmp_path: Path
) -> None:
    for name, (spoil, _) in BROKEN.items():
        spoil(Path(shutil.copytree(tiny_bert, tmp_path / name)))
    path = sweep_file(models=[str(tiny_bert), *(str(tmp_path / name) for name in BROKEN)])
    with pytest.raises(InputErrors) as caught:
        make_plan(load_sweep(path))
    lines = str(caught.value).splitlines()
    assert len(lines) == len(BROKEN)
    for line, (name, (_, said)) in zip(lines, BROKEN.items(), strict=True):
        assert f"/{name}" in line
        assert said in line


def test_what_is_done_to_a_models_weights_is_noted(
    sweep_file: Callable[..., Path], tiny_bert: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "tuned"))
    config = BertConfig.from_pretrained(folder, num_labels=5)
    BertForSequenceClassification(config).save_pretrained(folder)
    plan = make_plan(load_sweep(sweep_file(models=[str(folder)])))
    assert "tuned: its head for 5 labels is replaced by a new one for 3" in plan.notes
