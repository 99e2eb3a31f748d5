"""Tiny models of many architectures with random weights, made here, and documents for them."""

import copy
import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from medsweep.corpus import Document, Span
from medsweep.models.load import Base, load_base
from medsweep.models.quiet import quiet_transformers
from medsweep.models.resolve import ModelFolder
from medsweep.tasks import Task, make_task

WORDS = ["pain", "fever", "aspirin", "statin", "smokes", "quit", "never", "daily", "chest", "the"]
SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]
ENTITIES = {"aspirin": "Drug", "statin": "Drug", "pain": "Problem", "fever": "Problem"}
LABELS = ("current", "former", "never")

_COMMON = {
    "vocab_size": len(WORDS) + len(SPECIAL),
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
_DECODER = _COMMON | {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
}
CONFIGS: dict[str, PretrainedConfig] = {
    "bert": BertConfig(
        **_COMMON,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=64,
    ),
    "distilbert": DistilBertConfig(
        **_COMMON, dim=16, hidden_dim=24, n_layers=3, n_heads=2, max_position_embeddings=64
    ),
    "modernbert": ModernBertConfig(
        **_COMMON,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=64,
        local_attention=4,
        global_attn_every_n_layers=2,
        cls_token_id=2,
        sep_token_id=3,
    ),
    "gpt2": GPT2Config(**_COMMON, n_embd=16, n_layer=3, n_head=2, n_positions=64),
    "llama": LlamaConfig(**_DECODER),
    "qwen2": Qwen2Config(
        **_DECODER, use_sliding_window=True, sliding_window=4, max_window_layers=1
    ),
    "gemma3": Gemma3TextConfig(
        **_DECODER,
        head_dim=8,
        sliding_window=4,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    ),
}


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a word."""
    words = {w: i for i, w in enumerate([*SPECIAL, *WORDS])}
    inner = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 2), ("</s>", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        model_max_length=64,
    )


def make_model(name: str, folder: Path) -> ModelFolder:
    """Write the model ``name`` of :data:`CONFIGS` with its tokenizer."""
    torch.manual_seed(1)
    model = AutoModel.from_config(copy.deepcopy(CONFIGS[name]))
    with torch.no_grad():
        for parameter in model.parameters():
            # Far enough from zero that each layer matters to the result.
            parameter.add_(torch.randn_like(parameter) * 0.1)
    with quiet_transformers():
        model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return ModelFolder(str(folder), name, folder, 0)


def make_base(name: str, folder: Path, kind: str, dtype: torch.dtype = torch.float64) -> Base:
    """A loaded base and no more than it: the task is :func:`the_task` of ``kind``."""
    base = load_base(make_model(name, folder), the_task(kind), device="cpu")
    base.model.to(dtype)
    # What a folder says of its tokenizer, some architectures overrule by their own class.
    base.tokenizer = tokenizer()
    return base


def the_task(kind: str) -> Task:
    """Three classes, or two labels or entity types."""
    if kind == "classification":
        return make_task("classification", LABELS, "macro_f1")
    if kind == "multilabel":
        return make_task("multilabel", tuple(sorted(set(ENTITIES.values()))), "micro_f1")
    return make_task("ner", tuple(sorted(set(ENTITIES.values()))), "span_f1")


def documents(count: int, seed: int) -> list[Document]:
    """Documents of 3 to 20 words with a label, mentions, and their types as labels."""
    rng = random.Random(seed)
    found = []
    for i in range(count):
        words = [rng.choice(WORDS) for _ in range(rng.randint(3, 20))]
        spans, at = [], 0
        for word in words:
            if word in ENTITIES:
                spans.append(Span(at, at + len(word), ENTITIES[word]))
            at += len(word) + 1
        values: dict[str, Any] = {"label": LABELS[i % 3], "spans": tuple(spans)}
        values["labels"] = tuple(sorted({s.type for s in spans}))
        found.append(Document(f"{seed}-{i}", " ".join(words), **values))
    return found
