"""A frozen base with a head for the task, or its own language-model head, ready to be adapted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
)

from medsweep.errors import ModelError
from medsweep.models.attention import use_plain_attention
from medsweep.models.quiet import quiet_transformers
from medsweep.models.resolve import ModelFolder
from medsweep.models.targets import Targets, find_targets
from medsweep.models.token_head import token_classifier
from medsweep.models.tokenizer import load_tokenizer, longest_input
from medsweep.tasks import MethodName, Task, head_labels

# What a classification model has between its layers and its labels, trained in full.
HEADS = ("classifier", "score", "pooler", "pre_classifier", "head")


@dataclass(slots=True)
class Base:
    """A base model, with a fresh head or its own; nothing in it is ever changed by training.

    Attributes:
        folder: where it came from.
        model: on ``device``, in evaluation mode, without gradients.
        tokenizer: a fast tokenizer, padding on the right.
        targets: its layers.
        heads: names of the modules that are trained in full, as PEFT's ``modules_to_save``.
        device: where it computes.
        longest: tokens that it can take.
        method: how it is to answer.
    """

    folder: ModelFolder
    model: Any
    tokenizer: Any
    targets: Targets
    heads: tuple[str, ...]
    device: torch.device
    longest: int
    method: MethodName = "head"


def load_base(
    folder: ModelFolder,
    task: Task,
    *,
    method: MethodName = "head",
    device: str | None = None,
    trust_remote_code: bool = False,
    move: bool = True,
) -> Base:
    """Load ``folder`` for ``task``: a sequence or token classification model, or a language model.

    ``move=False`` leaves its weights in the machine's memory, for those who bring them to the
    device in parts.

    Raises:
        ModelError: the architecture has no such head, or the tokenizer no offsets.
    """
    placed = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        with quiet_transformers():
            tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
            config = _config(folder, task, method, tokenizer, trust_remote_code)
            dtype = torch.float32 if placed.type == "cpu" else torch.bfloat16
            architecture = _architecture(config, task, method)
            model, missing = _weights(folder, architecture, config, dtype, trust_remote_code)
    except (ValueError, KeyError, OSError, ImportError) as error:
        raise ModelError(
            f"cannot be loaded for {task.kind} by {method} ({type(error).__name__})",
            where=folder.reference,
            fix="use a model whose architecture has such a head"
            if method == "head"
            else "use method: head, or a causal language model",
        ) from None
    model.to(placed if move else "cpu").eval().requires_grad_(False)
    if placed.type == "cpu":
        use_plain_attention(model)
    if method != "head":
        _check_causal(model, missing, folder)
    targets = find_targets(model)
    heads = _heads(model, targets) if method == "head" else ()
    longest = longest_input(config, tokenizer)
    return Base(folder, model, tokenizer, targets, heads, placed, longest, method)


def _config(
    folder: ModelFolder, task: Task, method: MethodName, tokenizer: Any, trust_remote_code: bool
) -> Any:
    """The folder's configuration, with the task's head where the method is one."""
    config = AutoConfig.from_pretrained(
        folder.path,
        trust_remote_code=trust_remote_code,
        **(_head_config(task) if method == "head" else {}),
    )
    config.pad_token_id = tokenizer.pad_token_id
    # Training has no use for a cache, and one would number the layers.
    config.use_cache = False
    return config


def _head_config(task: Task) -> dict[str, Any]:
    labels = head_labels(task)
    return {
        **({"problem_type": "multi_label_classification"} if task.kind == "multilabel" else {}),
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: i for i, label in enumerate(labels)},
    }


def _architecture(config: Any, task: Task, method: MethodName) -> Any:
    if method != "head":
        return AutoModelForCausalLM
    return token_classifier(config) if task.kind == "ner" else AutoModelForSequenceClassification


def _weights(
    folder: ModelFolder,
    architecture: Any,
    config: Any,
    dtype: torch.dtype,
    trust_remote_code: bool,
) -> tuple[Any, Collection[str]]:
    """The model, and the names of its parameters that the folder does not have."""
    # The head's first values must not depend on what ran before.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, loading = architecture.from_pretrained(
            folder.path,
            config=config,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
        )
    return model, loading["missing_keys"]


def _heads(model: Any, targets: Targets) -> tuple[str, ...]:
    """Last parts of the names of the modules between layers and labels, each once."""
    names = (n for n, _ in model.named_modules() if not n.startswith(f"{targets.stack}."))
    return tuple(dict.fromkeys(last for n in names if (last := n.rpartition(".")[2]) in HEADS))


@torch.no_grad()
def _check_causal(model: Any, missing: Collection[str], folder: ModelFolder) -> None:
    """Tried rather than looked up: BERT's kind loads as a language model, and is none."""
    head = model.get_output_embeddings()
    if head is None or any(model.get_submodule(n.rpartition(".")[0]) is head for n in missing):
        raise ModelError(
            "its weights hold no language-model head",
            where=folder.reference,
            fix="use method: head, or a folder that was saved with it",
        )
    one, other = (
        model(input_ids=torch.tensor([[1, 2, last]], device=model.device)).logits[0, 0]
        for last in (1, 3)
    )
    rounding = 16 * torch.finfo(one.dtype).eps * one.abs().max()
    if (one - other).abs().max() > rounding:
        raise ModelError(
            "reads in both directions, so it cannot write an answer",
            where=folder.reference,
            fix="use method: head, or a causal language model",
        )
