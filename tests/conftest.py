"""Tiny real models and corpora, made here: no download, no mock."""

import atexit
import json
import os
import random
import re
import shutil
import signal
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import settings

from medsweep.models import ModelFolder

# Verdicts of tests are none of the user's: processes that tests start write here, too.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="medsweep-state-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)
# No test asks the internet; read where huggingface_hub is imported.
os.environ["HF_HUB_OFFLINE"] = "1"
# Tests run beside each other; the threads of one would wait for those of another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The same examples in every run; `--hypothesis-profile=default` looks for others.
settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")

# A shell that starts the tests in the background has them ignore Ctrl-C, and what they start, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Two workers share the files, and end together if what takes longest comes first.
FIRST = ("sweep", "cluster", "training", "test_wheel.py", "tracking", "arms", "export", "plan")


# Where only what is not slow is run, one encoder and one decoder stand for these.
OTHERS = re.compile(r"\[.*\b(distilbert|gemma3|gpt2|modernbert|qwen2)\b")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        name = re.split("/|::", item.nodeid)[1]
        return FIRST.index(name) if name in FIRST else len(FIRST)

    items.sort(key=place)
    for item in items:
        if OTHERS.search(item.nodeid):
            item.add_marker(pytest.mark.slow)


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


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    from tests.decoder import make_decoder

    return make_decoder(tmp_path_factory.mktemp("decoder") / "tiny-llama", None)


@pytest.fixture(scope="session")
def chat_decoder(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    from tests.decoder import make_decoder

    return make_decoder(tmp_path_factory.mktemp("decoder") / "tiny-chat", template)


@pytest.fixture(params=["decoder", "chat_decoder"])
def any_decoder(request: pytest.FixtureRequest) -> ModelFolder:
    """One without a chat template, and one with."""
    folder: ModelFolder = request.getfixturevalue(request.param)
    return folder


@pytest.fixture(scope="session")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """Puts an empty MLflow database where it is asked to, and gives its address.

    MLflow makes one by all migrations there ever were, which takes seconds; here that is done once.
    """
    import mlflow

    made = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{made}").search_experiments()

    def copy(path: Path) -> str:
        shutil.copy(made, path)
        return f"sqlite:///{path}"

    return copy


# One trial is one of two hosts' work; two hosts make the order of ends vary, as in real sweeps.
SWEEP: dict[str, Any] = {
    "name": "tiny",
    "task": {"kind": "classification", "metric": "macro_f1"},
    "reference": {"arm": "tfidf"},
    "train_sizes": [9, 18],
    "draws": 2,
    "search": {"trials": 3, "rank": [2, 4], "top_layers": [1, "all"], "epochs": 2},
    "training": {"min_steps": 8, "evaluations": 4, "max_length": 32},
    "arms": ["majority", "tfidf", "probe"],
    "decide": {"margin": 0.05},
}


def write_sweep(folder: Path, model: Path, canary: str = "", **changes: Any) -> Path:
    """A corpus and a sweep file in ``folder``; keywords replace top-level keys."""
    train = write_jsonl(folder / "train.jsonl", make_documents(60, 1, "a", canary))
    test = write_jsonl(folder / "test.jsonl", make_documents(30, 2, "b", canary))
    sweep = {
        **SWEEP,
        "data": {"train": str(train), "test": str(test), "dev": 18},
        "models": [str(model)],
        "tracking": {"uri": f"sqlite:///{folder / 'mlflow.db'}", "experiment": "tiny"},
        **changes,
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(sweep))
    return path


@pytest.fixture
def sweep_file(tmp_path: Path, tiny_bert: Path) -> Callable[..., Path]:
    """:func:`write_sweep` in a folder of the test's own."""
    return partial(write_sweep, tmp_path, tiny_bert)
