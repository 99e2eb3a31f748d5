"""A frozen base with a head for the task, or its own language-model head, ready to be adapted."""

from __future__ import annotations

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
from medsweep.models.filling import UNLOADABLE, Filled, body_of, fill_weights
from medsweep.models.quiet import quiet_transformers
from medsweep.models.resolve import ModelFolder
from medsweep.models.targets import Targets, find_targets
from medsweep.models.token_head import token_classifier
from medsweep.models.tokenizer import load_tokenizer, longest_input
from medsweep.tasks import MethodName, Task, TaskKind, head_labels

# What a classification model has between its layers and its labels, trained in full even where
# the files fill it.
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
    seed: int = 0,
) -> Base:
    """Load ``folder`` for ``task``: a sequence or token classification model, or a language model.

    ``move=False`` leaves its weights in the machine's memory, for those who bring them to the
    device in parts. A head's first values depend on ``seed`` alone.

    Raises:
        ModelError: the architecture has no such head, the tokenizer no offsets, or the files not
            the whole body.
    """
    placed = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        with quiet_transformers():
            tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
            config = _config(folder, task, method, tokenizer, trust_remote_code)
            dtype = torch.float32 if placed.type == "cpu" else torch.bfloat16
            architecture = architecture_for(config, task.kind, method)
            # The head's first values must not depend on what ran before.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                filled = fill_weights(
                    architecture,
                    folder,
                    config,
                    dtype=dtype,
                    trust_remote_code=trust_remote_code,
                    new_head=method == "head",
                )
    except UNLOADABLE as error:
        raise unloadable(folder, task.kind, method, error) from None
    model = filled.model
    model.to(placed if move else "cpu").eval().requires_grad_(False)
    if placed.type == "cpu":
        use_plain_attention(model)
    if method != "head":
        _check_causal(model, folder)
    targets = find_targets(model)
    heads = find_heads(filled, targets, folder) if method == "head" else ()
    longest = longest_input(config, tokenizer)
    return Base(folder, model, tokenizer, targets, heads, placed, longest, method)


def unloadable(
    folder: ModelFolder, kind: TaskKind, method: MethodName, error: Exception
) -> ModelError:
    """What is said where transformers cannot build or load a model for a task."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        what, fix = "does not fit into memory", "use a smaller model, or a larger machine"
    elif "Unrecognized configuration class" in str(error):
        what = f"has no architecture for {kind} by {method}"
        fix = "use a BERT-, GPT- or Llama-like model"
        if method != "head":
            fix = "use method: head, or a causal language model"
    else:
        what = f"cannot be loaded for {kind} by {method} ({type(error).__name__})"
        fix = "compare its config.json with that of its source; it does not describe such a model"
        if isinstance(error, OSError):
            fix = "copy the folder again: a file is missing or cannot be read"
        elif isinstance(error, ImportError):
            fix = "install the library that the model needs"
    return ModelError(what, where=folder.reference, fix=fix)


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


def architecture_for(config: Any, kind: TaskKind, method: MethodName) -> Any:
    """What loads a model of ``config`` for a task of ``kind``: an auto class, or one made here.

    Raises:
        ValueError: the architecture is unknown to transformers.
    """
    if method != "head":
        return AutoModelForCausalLM
    return token_classifier(config) if kind == "ner" else AutoModelForSequenceClassification


def find_heads(filled: Filled, targets: Targets, folder: ModelFolder) -> tuple[str, ...]:
    """Names of what stands between layers and labels, and of all that the files did not fill.

    PEFT takes every module whose name ends so; no part of a layer may.

    Raises:
        ModelError: what has to be trained in full cannot be named apart from the layers.
    """
    model, body = filled.model, body_of(filled.model)
    names = [n for n, _ in model.named_modules()]
    outside = [n for n in names if not n.startswith(f"{targets.stack}.")]
    known = [last for n in outside if (last := n.rpartition(".")[2]) in HEADS]
    # A part whose parent is trained is trained with it.
    new = [n.partition(".")[0] for n in sorted(filled.fresh) if not n.startswith(body)]
    new = [n for n in new if n not in known]
    heads = tuple(dict.fromkeys((*known, *new)))
    clash = [h for h in heads for n in names if n not in outside and n.endswith(h)]
    if clash or not set(new) <= set(names):
        raise ModelError(
            f"its head {(clash or new)[0]} cannot be told from its layers",
            where=folder.reference,
            fix="use another model, or method: likelihood or generate",
        )
    return heads


@torch.no_grad()
def _check_causal(model: Any, folder: ModelFolder) -> None:
    """Tried rather than looked up: BERT's kind loads as a language model, and is none."""
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
