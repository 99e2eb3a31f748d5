"""A tiny real decoder whose tokenizer is trained here, and small corpora."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from medsweep.corpus import Document, Span
from medsweep.models import ModelFolder, resolve
from tests.conftest import make_documents

DRUGS = ("aspirin", "warfarin", "insulin")


def classification(count: int, seed: int, prefix: str = "d") -> list[Document]:
    rows = make_documents(count, seed, prefix)
    return [Document(r["id"], r["text"], label=r["label"]) for r in rows]


def multilabel(count: int, seed: int, prefix: str = "d") -> list[Document]:
    """Two neighbouring documents as one, with the labels of both; of equal labels with one."""
    rows = make_documents(count + 1, seed, prefix)
    return [
        Document(
            a["id"], f"{a['text']} {b['text']}", labels=tuple(sorted({a["label"], b["label"]}))
        )
        for a, b in pairwise(rows)
    ]


def ner(count: int, prefix: str = "d") -> list[Document]:
    documents = []
    for i in range(count):
        drug = DRUGS[i % 3]
        text = f"the patient was given {drug} {i} mg and seen in clinic"
        start = text.index(drug)
        spans = (Span(start, start + len(drug), "Drug"),)
        documents.append(Document(f"{prefix}{i}", text, spans=spans))
    return documents


def without_gold(documents: list[Document]) -> list[Document]:
    return [Document(d.id, d.text) for d in documents]


def _decoder(folder: Path, template: str | None) -> ModelFolder:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    texts = [d.text for d in classification(60, 0)] + [json.dumps({"label": "smoker"})] * 5
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")
    fast.chat_template = template
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=768,
        eos_token_id=0,
        bos_token_id=None,
        pad_token_id=0,
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return resolve(str(folder))


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return _decoder(tmp_path_factory.mktemp("decoder") / "tiny-llama", None)


@pytest.fixture(scope="session")
def chat_decoder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    return _decoder(tmp_path_factory.mktemp("decoder") / "tiny-chat", template)
