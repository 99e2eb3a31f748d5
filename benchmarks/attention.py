"""Attention on a CPU in bf16, forward and backward: torch's fused kernel against plain products.

    python benchmarks/attention.py

Rows, heads, tokens, width as in a pass of about a thousand tokens; padding mask; one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from medsweep.models.attention import plain_attention

SHAPES = [(8, 12, 128, 32), (6, 12, 160, 32), (2, 12, 512, 32), (6, 9, 160, 64), (2, 9, 512, 64)]


def main() -> None:
    torch.set_num_threads(1)
    print("rows heads tokens width | fused ms, plain ms, ratio")
    for shape in SHAPES:
        tensors = [torch.randn(*shape, dtype=torch.bfloat16, requires_grad=True) for _ in range(3)]
        mask = torch.ones(shape[0], 1, shape[2], shape[2], dtype=torch.bool)
        mask[0, ..., -5:] = False

        def fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor = mask) -> Tensor:
            return scaled_dot_product_attention(q, k, v, attn_mask=mask)

        def plain(q: Tensor, k: Tensor, v: Tensor, mask: Tensor = mask) -> Tensor:
            return plain_attention(q, k, v, mask, False, None)

        slow, fast = milliseconds(fused, tensors), milliseconds(plain, tensors)
        print(*shape, f"| {slow:.1f} {fast:.1f} {slow / fast:.1f}x")


def milliseconds(attention: Callable[..., Tensor], tensors: list[Tensor], times: int = 10) -> float:
    """The fastest of ``times`` passes."""
    best = float("inf")
    for _ in range(times + 1):
        began = time.perf_counter()
        attention(*tensors).sum().backward()
        best = min(best, time.perf_counter() - began)
    return best * 1e3


if __name__ == "__main__":
    main()
