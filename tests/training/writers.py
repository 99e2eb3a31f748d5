"""Tiny language models with random weights that can read and write what they are asked."""

import copy
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from medsweep.models.load import Base, load_base
from medsweep.models.quiet import quiet_transformers
from medsweep.models.resolve import ModelFolder
from medsweep.prompting.prompt import Prompts
from medsweep.tasks import MethodName
from tests.training.shapes import documents, the_task

SIZE, LONGEST = 512, 384
TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_COMMON = {"vocab_size": SIZE, "bos_token_id": None, "eos_token_id": 0, "pad_token_id": 0}
_DECODER = _COMMON | {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": LONGEST,
}
CONFIGS: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**_DECODER),
    "gpt2": GPT2Config(**_COMMON, n_embd=16, n_layer=3, n_head=2, n_positions=LONGEST),
    "qwen2": Qwen2Config(
        **_DECODER, use_sliding_window=True, sliding_window=64, max_window_layers=1
    ),
    "gemma3": Gemma3TextConfig(
        **_DECODER,
        head_dim=8,
        sliding_window=64,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        final_logit_softcapping=5.0,
    ),
}


def tokenizer(template: str | None) -> PreTrainedTokenizerFast:
    """Byte-level BPE that knows the prompts, so that they are short."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|user|>", "<|assistant|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = []
    for kind in ("classification", "ner"):
        prompts = Prompts.of(the_task(kind), names={}, instruction=None, as_json=True)
        for document in documents(20, 1):
            texts += [m["content"] for m in prompts.messages(document.text)]
            texts.append(prompts.answer(document, document.text))
    inner.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|end|>",
        additional_special_tokens=special[1:],
        model_max_length=LONGEST,
    )
    fast.chat_template = template
    return fast


def make_writer(name: str, folder: Path, template: str | None = TEMPLATE) -> ModelFolder:
    """Write the model ``name`` of :data:`CONFIGS`, language-model head included."""
    torch.manual_seed(1)
    with quiet_transformers():
        model = AutoModelForCausalLM.from_config(copy.deepcopy(CONFIGS[name]))
        with torch.no_grad():
            for parameter in model.parameters():
                # Far enough from zero that each layer matters to the result.
                parameter.add_(torch.randn_like(parameter) * 0.1)
        model.save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    return ModelFolder(str(folder), name, folder, 0)


def writing_base(
    name: str,
    folder: Path,
    kind: str,
    method: MethodName,
    dtype: torch.dtype = torch.float64,
    template: str | None = TEMPLATE,
) -> Base:
    """A base that answers by ``method``."""
    made = make_writer(name, folder, template)
    base = load_base(made, the_task(kind), method=method, device="cpu")
    base.model.to(dtype)
    return base
