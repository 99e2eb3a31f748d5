"""A frozen base with a head for the task, or its own language-model head, ready to be adapted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from medsweep.errors import ModelError
from medsweep.models.attention import use_plain_attention
from medsweep.models.quiet import quiet_transformers
from medsweep.models.resolve import ModelFolder
from medsweep.models.targets import Targets, find_targets
from medsweep.models.token_head import token_classifier
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
    labels = head_labels(task) if method == "head" else ()
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        with quiet_transformers():
            tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
            config = AutoConfig.from_pretrained(
                folder.path,
                trust_remote_code=trust_remote_code,
                **_named(labels, task),
            )
            config.pad_token_id = tokenizer.pad_token_id
            # Training has no use for a cache, and one would number the layers.
            config.use_cache = False
            # The head's first values must not depend on what ran before.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                model, found = _architecture(config, task, method).from_pretrained(
                    folder.path,
                    config=config,
                    dtype=torch.float32 if where.type == "cpu" else torch.bfloat16,
                    trust_remote_code=trust_remote_code,
                    output_loading_info=True,
                )
    except (ValueError, KeyError, OSError, ImportError) as error:
        raise ModelError(
            f"cannot be loaded for {task.kind} by {method} ({type(error).__name__})",
            where=folder.reference,
            fix="use a model whose architecture has such a head"
            if method == "head"
            else "use method: head, or a causal language model",
        ) from None
    model.to(where if move else "cpu").eval().requires_grad_(False)
    if where.type == "cpu":
        use_plain_attention(model)
    if method != "head":
        _check_that_it_writes(model, found["missing_keys"], folder)
    targets = find_targets(model)
    heads = tuple(
        name
        for name, _ in model.named_modules()
        if method == "head"
        and name.rpartition(".")[2] in HEADS
        and not name.startswith(f"{targets.stack}.")
    )
    return Base(
        folder,
        model,
        tokenizer,
        targets,
        tuple(dict.fromkeys(n.rpartition(".")[2] for n in heads)),
        where,
        longest_input(config, tokenizer),
        method,
    )


def _named(labels: Sequence[str], task: Task) -> dict[str, Any]:
    """What a configuration says of a head; nothing where there is none."""
    if not labels:
        return {}
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


@torch.no_grad()
def _check_that_it_writes(model: Any, missing: Collection[str], folder: ModelFolder) -> None:
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


def load_tokenizer(folder: ModelFolder, *, trust_remote_code: bool = False) -> Any:
    """A tokenizer that gives character offsets, has a padding token, and pads on the right.

    Raises:
        ModelError: the model has no fast tokenizer.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder.path, trust_remote_code=trust_remote_code)
    if not tokenizer.is_fast:
        raise ModelError(
            "its tokenizer gives no character offsets",
            where=folder.reference,
            fix="use a model with a fast tokenizer (tokenizer.json)",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    tokenizer.padding_side = "right"
    return tokenizer


def longest_input(config: Any, tokenizer: Any) -> int:
    """Tokens that a model can take, special ones included."""
    positions = int(getattr(config, "max_position_embeddings", None) or 1 << 30)
    # RoBERTa's positions start behind the padding index.
    if config.model_type in ("roberta", "xlm-roberta", "camembert"):
        positions -= 2
    return min(positions, int(min(tokenizer.model_max_length, 1 << 30)))
