"""Tiny real models of every kind that medsweep adapts, and documents they can learn from."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsweep.corpus import Document, Span
from medsweep.models import ModelFolder
from medsweep.models.load import Base, load_base
from medsweep.tasks import Task, make_task
from tests.conftest import FILLER, WORDS, make_documents

KINDS = ("bert", "distilbert", "gpt2", "llama", "modernbert", "gemma3")
CLASSES = make_task("classification", tuple(WORDS), "macro_f1")
ENTITIES = make_task("ner", ("drug", "dose"), "span_f1")
DRUGS, DOSES = ("aspirin", "heparin", "ramipril"), ("10 mg", "2 g", "75 mg")

BaseOf = Callable[[str, Task], Base]


def classified(count: int, seed: int, prefix: str = "d") -> list[Document]:
    return [Document(r["id"], r["text"], r["label"]) for r in make_documents(count, seed, prefix)]


def annotated(count: int, seed: int, words: int = 12) -> list[Document]:
    rng = random.Random(seed)
    documents = []
    for i in range(count):
        text, spans = "", []
        for _ in range(words):
            kind, choice = "", rng.choice(FILLER)
            if (lot := rng.random()) < 0.15:
                kind, choice = "drug", rng.choice(DRUGS)
            elif lot < 0.3:
                kind, choice = "dose", rng.choice(DOSES)
            if kind:
                spans.append(Span(len(text), len(text) + len(choice), kind))
            text += f"{choice} "
        documents.append(Document(f"n{i}", text, spans=tuple(spans)))
    return documents


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("shapes")
    return {kind: _make(kind, root / f"tiny-{kind}") for kind in KINDS}


@pytest.fixture(scope="session")
def base_of(folders: dict[str, Path]) -> BaseOf:
    known: dict[tuple[str, str], Base] = {}

    def get(kind: str, task: Task) -> Base:
        if (kind, task.kind) not in known:
            folder = ModelFolder(str(folders[kind]), kind, folders[kind], 0)
            known[kind, task.kind] = load_base(folder, task, device="cpu")
        return known[kind, task.kind]

    return get


def _make(kind: str, folder: Path) -> Path:
    import torch

    folder.mkdir()
    size = _tokenizer(folder, encoder=kind in ("bert", "distilbert", "modernbert"))
    torch.manual_seed(0)
    _body(kind, size).save_pretrained(folder)
    return folder


def _tokenizer(folder: Path, *, encoder: bool) -> int:
    """Byte-level BPE for decoders, WordPiece with special tokens for encoders."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    text = [d.text for d in [*classified(60, 1), *annotated(60, 2)]]
    if encoder:
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        letters = sorted({c for t in text for c in t if not c.isspace()})
        words = sorted({w for t in text for w in t.split() if w not in DRUGS})
        halves = [half for drug in DRUGS for half in (drug[:4], f"##{drug[4:]}")]
        # Listed, not trained: a trained WordPiece numbers its pieces anew in every process, and
        # with the numbers the random embeddings change.
        pieces = dict.fromkeys([*special, *letters, *(f"##{c}" for c in letters), *words, *halves])
        vocabulary = {piece: i for i, piece in enumerate(pieces)}
        fast = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
        fast.pre_tokenizer = pre_tokenizers.Whitespace()
        fast.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
    else:
        fast = Tokenizer(models.BPE())
        fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        fast.decoder = decoders.ByteLevel()
        trainer: Any = trainers.BpeTrainer(
            vocab_size=420,
            special_tokens=["<eos>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        fast.train_from_iterator(text, trainer)
        # No padding token, as many decoders have none.
        names = {"eos_token": "<eos>"}
    PreTrainedTokenizerFast(tokenizer_object=fast, model_max_length=64, **names).save_pretrained(
        folder
    )
    (folder / "note.json").write_text(json.dumps({"made": "by a test"}))
    return int(fast.get_vocab_size())


def _body(kind: str, size: int) -> Any:
    """A headless model of three layers with random weights."""
    import transformers as t

    shape = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
    wide = {**shape, "vocab_size": size, "intermediate_size": 64, "max_position_embeddings": 64}
    few = {**wide, "num_key_value_heads": 1, "pad_token_id": 0, "bos_token_id": 0}
    few["eos_token_id"] = 0
    # With BERT's usual 0.02 a random body passes on next to nothing from the words to the first
    # token, which its head reads.
    if kind == "bert":
        return t.BertModel(t.BertConfig(**wide, initializer_range=0.2))
    if kind == "distilbert":
        return t.DistilBertModel(
            t.DistilBertConfig(
                vocab_size=size,
                dim=32,
                n_layers=3,
                n_heads=2,
                hidden_dim=64,
                max_position_embeddings=64,
                initializer_range=0.2,
            )
        )
    if kind == "gpt2":
        return t.GPT2Model(
            t.GPT2Config(
                vocab_size=size,
                n_embd=32,
                n_layer=3,
                n_head=2,
                n_positions=64,
                bos_token_id=0,
                eos_token_id=0,
            )
        )
    if kind == "llama":
        return t.LlamaModel(t.LlamaConfig(**few))
    if kind == "modernbert":
        # Layers of two kinds: which mask a layer takes depends on its place.
        return t.ModernBertModel(
            t.ModernBertConfig(
                **wide,
                initializer_range=0.2,
                global_attn_every_n_layers=2,
                local_attention=4,
                pad_token_id=0,
                bos_token_id=2,
                eos_token_id=3,
                cls_token_id=2,
                sep_token_id=3,
            )
        )
    kinds = ["sliding_attention", "full_attention", "sliding_attention"]
    return t.Gemma3TextModel(
        t.Gemma3TextConfig(**few, head_dim=16, layer_types=kinds, sliding_window=4)
    )
