"""Tiny real models and corpora, made here: no download, no mock."""

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest

# A shell that starts the tests in the background has them ignore Ctrl-C, and what they start, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

WORDS = {
    "smoker": [
        "smokes",
        "daily",
        "cigarettes",
        "packs",
        "currently",
        "tobacco",
        "habit",
        "continues",
    ],
    "former": ["quit", "stopped", "former", "years", "ago", "abstinent", "since", "ceased"],
    "never": ["never", "denies", "nonsmoker", "lifelong", "negative", "without", "any", "exposure"],
}
FILLER = [
    "patient",
    "admitted",
    "with",
    "pain",
    "and",
    "fever",
    "the",
    "was",
    "seen",
    "in",
    "clinic",
    "for",
    "review",
    "of",
    "chest",
]


def make_documents(
    count: int, seed: int, prefix: str = "d", canary: str = ""
) -> list[dict[str, Any]]:
    """Separable three-class documents: two words in three are filler."""
    rng = random.Random(seed)
    labels = list(WORDS)
    rows = []
    for i in range(count):
        label = labels[i % len(labels)]
        words = [rng.choice(WORDS[label] if rng.random() < 0.34 else FILLER) for _ in range(18)]
        rows.append({"id": f"{prefix}{i}", "text": " ".join([*words, canary]), "label": label})
    return rows


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers and random weights, with a tokenizer that knows the words above."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    folder.mkdir()
    letters = [chr(c) for c in range(97, 123)]
    pieces = [*letters, *(f"##{x}" for x in letters), *map(str, range(10))]
    vocabulary = dict.fromkeys(
        [
            "[PAD]",
            "[UNK]",
            "[CLS]",
            "[SEP]",
            "[MASK]",
            *pieces,
            *FILLER,
            *(w for words in WORDS.values() for w in words),
        ]
    )
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder
