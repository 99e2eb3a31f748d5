"""What a model's headers, configuration and tokenizer tell of it, before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from medsweep.errors import ModelError
from medsweep.models.filling import UNLOADABLE, Filled, body_of, fill_weights
from medsweep.models.load import architecture_for, find_heads, unloadable
from medsweep.models.quiet import quiet_transformers
from medsweep.models.resolve import ModelFolder
from medsweep.models.targets import find_targets
from medsweep.models.tokenizer import load_tokenizer
from medsweep.tasks import MethodName, TaskKind

# So many labels nobody has: what the files hold for other labels then shows by its shape.
_NO_LABELS = 9973


@dataclass(frozen=True, slots=True)
class Checked:
    """A model that fits its configuration.

    Attributes:
        parameters: that the files fill, each once: a tied matrix is one, a new head none.
        labels: that a head in the files was trained for; None where they hold none.
        prefix: what stands before all names in the files and is taken off; empty as a rule.
    """

    parameters: int
    labels: int | None
    prefix: str


def check_model(
    folder: ModelFolder,
    kind: TaskKind,
    use: MethodName | Literal["probe"],
    *,
    trust_remote_code: bool = False,
) -> Checked | None:
    """Compare a folder's files with the model that its configuration describes.

    The model is built without memory for its weights; of the weights, headers are read. None
    where that cannot be done ahead: code of the folder's own, or weights in fewer bits.

    Raises:
        ModelError: it cannot be built, filled or adapted, or its tokenizer does not fit it.
    """
    method: MethodName = "head" if use == "probe" else use
    try:
        with quiet_transformers():
            tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
            labels = {"num_labels": _NO_LABELS} if use == "head" else {}
            config = AutoConfig.from_pretrained(
                folder.path, trust_remote_code=trust_remote_code, **labels
            )
            if getattr(config, "auto_map", None) or getattr(config, "quantization_config", None):
                return None
            _check_stack(config, folder)
            config.pad_token_id = tokenizer.pad_token_id
            architecture = AutoModel if use == "probe" else architecture_for(config, kind, method)
            new_head = architecture is not AutoModelForCausalLM
            filled = fill_weights(architecture, folder, config, new_head=new_head, empty=True)
    except UNLOADABLE as error:
        raise unloadable(folder, kind, method, error) from None
    _check_tokens(filled.model, tokenizer, folder)
    if use != "probe":
        targets = find_targets(filled.model)
        if use == "head":
            find_heads(filled, targets, folder)
    own = dict(filled.model.named_parameters())
    return Checked(
        sum(p.numel() for n, p in own.items() if n not in filled.fresh),
        _labels_there(filled),
        filled.prefix,
    )


def _check_stack(config: Any, folder: ModelFolder) -> None:
    """Of two stacks adapters would change the larger one only, and a text would be read twice."""
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(
            "is a sequence-to-sequence model, which is not tuned here",
            where=folder.reference,
            fix="use an encoder such as BERT, or a causal language model",
        )


def _labels_there(filled: Filled) -> int | None:
    body = body_of(filled.model)
    rows = [shape[0] for n, shape in filled.resized.items() if body and not n.startswith(body)]
    return min(rows, default=None)


def _check_tokens(model: Any, tokenizer: Any, folder: ModelFolder) -> None:
    """No word's number, nor one that stands around a text, may lie behind the embedding.

    Added tokens may: Gemma's for images do, and no text holds them.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    words = tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False).values()
    around = tokenizer("")["input_ids"]
    highest = max((*words, *around, tokenizer.pad_token_id), default=0)
    if highest >= rows:
        raise ModelError(
            f"its tokenizer numbers tokens up to {highest}, and its embedding has {rows} rows",
            where=folder.reference,
            fix="copy tokenizer and weights from one source",
        )
