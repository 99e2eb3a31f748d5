from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from medsweep.errors import ModelError
from medsweep.models import resolve
from medsweep.models.convert import cache_folder, convert_file

WIDTH, INNER = 32, 64


def write_gguf(path: Path) -> dict[str, np.ndarray]:
    """A llama of one layer and four tokens; gives its tensors."""
    gguf = pytest.importorskip("gguf")
    rng = np.random.default_rng(0)
    shapes = {
        "token_embd.weight": (4, WIDTH),
        "output.weight": (4, WIDTH),
        "output_norm.weight": (WIDTH,),
        "blk.0.attn_norm.weight": (WIDTH,),
        "blk.0.ffn_norm.weight": (WIDTH,),
        **{f"blk.0.attn_{n}.weight": (WIDTH, WIDTH) for n in ("q", "k", "v", "output")},
        **{f"blk.0.ffn_{n}.weight": (INNER, WIDTH) for n in ("gate", "up")},
        "blk.0.ffn_down.weight": (WIDTH, INNER),
    }
    tensors = {n: rng.normal(size=s).astype(np.float32) for n, s in shapes.items()}
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // 2)
    writer.add_vocab_size(4)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(["<end>", "a", "b", "ab"])
    writer.add_token_types([3, 1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors


def test_a_file_is_converted_once_and_again_when_it_changes(tmp_path: Path) -> None:
    file, cache = tmp_path / "tiny.F32.gguf", tmp_path / "cache"
    tensors = write_gguf(file)
    folder = resolve(str(file), gguf_cache=cache)
    assert folder.name == "tiny"
    weights = load_file(folder.path / "model.safetensors")
    converted = weights["model.layers.0.mlp.down_proj.weight"]
    np.testing.assert_array_equal(converted, tensors["blk.0.ffn_down.weight"])
    assert folder.parameters == sum(t.size for t in tensors.values())

    made = folder.path.stat().st_mtime_ns
    assert convert_file(file, cache) == folder.path
    assert folder.path.stat().st_mtime_ns == made
    file.write_bytes(b"no GGUF any more")
    with pytest.raises(ModelError, match="cannot be read as a GGUF model") as caught:
        convert_file(file, cache)
    assert caught.value.where == str(file)
    assert [p for p in cache.iterdir() if p.is_dir()] == [folder.path], "nothing half made stays"


def test_the_cache_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDSWEEP_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "gguf"
    monkeypatch.delenv("MEDSWEEP_CACHE")
    assert cache_folder() == Path("~/.cache/medsweep/gguf").expanduser()
