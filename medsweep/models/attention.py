"""Attention in bf16 on a CPU, by plain matrix products.

The fused kernel that torch has for CPUs is made for fp32: in bf16, forward and backward, it takes
two to four times as long as the products that it fuses, at lengths from 128 to 512 tokens
(``benchmarks/attention.py``). What is lost is memory, so very long inputs keep it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

NAME = "medsweep"
LONGEST = 2048  # tokens; the scores of one head take 8 MB here, of a layer about 100


def sight(config: Any) -> int:
    """Tokens that every layer sees, back from each token and with it."""
    inner = config.get_text_config()
    spans = [getattr(inner, name, None) for name in ("sliding_window", "attention_chunk_size")]
    return min((span for span in spans if span), default=1 << 30)


def use_plain_attention(model: Any) -> None:
    """Let ``model`` compute bf16 attention on a CPU by plain products, where it can be told to.

    In other precisions, on other devices, and in models with an attention of their own nothing
    changes.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import sdpa_mask

    if model.device.type != "cpu" or model.config._attn_implementation != "sdpa":
        return
    AttentionInterface.register(NAME, _attention_over(sdpa_attention_forward))
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)


def _attention_over(fused: Any) -> Any:
    def attention(
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        *,
        dropout: float = 0.0,
        scaling: float | None = None,
        is_causal: bool | None = None,
        **others: Any,
    ) -> tuple[Tensor, None]:
        # Rotary positions leave fp32 behind, which autocast would cast before it attends.
        precision = _autocast_to(query)
        fits = precision == torch.bfloat16 and key.shape[2] <= LONGEST
        if not fits or dropout or others.get("position_bias") is not None:
            found: tuple[Tensor, None] = fused(
                module,
                query,
                key,
                value,
                attention_mask,
                dropout=dropout,
                scaling=scaling,
                is_causal=is_causal,
                **others,
            )
            return found
        causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
        query, key, value = (t.to(precision) for t in (query, key, value))
        return plain_attention(query, key, value, attention_mask, causal, scaling), None

    return attention


def _autocast_to(tensor: Tensor) -> torch.dtype:
    kind = tensor.device.type
    if tensor.dtype == torch.float32 and torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return tensor.dtype


def plain_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    causal: bool,
    scaling: float | None,
) -> Tensor:
    """Softmax attention.

    Args:
        query: (rows, heads, tokens, width).
        key: (rows, key-value heads, tokens, width); heads are shared where they are fewer.
        value: as ``key``.
        mask: True, or 0, where a token is seen; None where all are, or all before it.
        causal: with no mask, whether a token sees only what stands before it.
        scaling: of the scores; 1 / sqrt(width) if None.

    Returns:
        (rows, tokens, heads, width).
    """
    shared = query.shape[1] // key.shape[1]
    if shared > 1:
        key, value = key.repeat_interleave(shared, 1), value.repeat_interleave(shared, 1)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if mask is None and causal and query.shape[2] > 1:
        mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool).tril()
    # Autocast would compute the softmax in fp32 and keep that for the backward pass. The kernel
    # for bf16 sums in fp32 anyway.
    with torch.autocast(query.device.type, enabled=False):
        scores = (query * scale) @ key.transpose(-1, -2)
        if mask is not None:
            # Added in place, because masking by a condition costs as much again in the backward.
            scores += _additive(mask, scores.dtype)
        return (scores.softmax(-1) @ value).transpose(1, 2).contiguous()


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min)
