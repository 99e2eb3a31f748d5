"""Plain attention against torch's own, on every architecture of the tests."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from medsweep.models.attention import NAME, plain_attention
from medsweep.training.encode import Encoder
from medsweep.training.prefix import pad
from tests.training.shapes import CONFIGS, LABELS, documents, make_base, the_task


@pytest.mark.parametrize("heads", [(4, 4), (4, 2)])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_it_is_softmax_attention(heads, causal, masked):
    torch.manual_seed(0)
    many, few = heads
    query = torch.randn(2, many, 7, 8)
    key, value = torch.randn(2, few, 7, 8), torch.randn(2, few, 7, 8)
    seen = torch.ones(2, 1, 7, 7, dtype=torch.bool)
    seen[1, ..., 5:] = False
    mask = seen & torch.ones(7, 7, dtype=torch.bool).tril() if causal else seen
    want = scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask if masked else None,
        is_causal=causal and not masked,
        enable_gqa=many != few,
    )
    found = plain_attention(query, key, value, mask if masked else None, causal, None)
    torch.testing.assert_close(found, want.transpose(1, 2), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_bf16_logits_are_those_of_the_fused_kernel(name, tmp_path):
    base = make_base(name, tmp_path, "classification", torch.float32)
    assert base.model.config._attn_implementation == NAME
    encoder = Encoder(base.tokenizer, the_task("classification"), LABELS, base.longest)
    inputs = pad(encoder.encode(documents(4, 0), 64), base)
    with torch.no_grad():
        exact = base.model(**inputs).logits
        with torch.autocast("cpu", dtype=torch.bfloat16):
            plain = base.model(**inputs).logits.float()
        base.model.set_attn_implementation("sdpa")
        torch.testing.assert_close(base.model(**inputs).logits, exact)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            fused = base.model(**inputs).logits.float()
    # The rest of the model rounds to bf16 as well; attention must not make that worse.
    error = (plain - exact).abs().max().item()
    assert error <= 2 * (fused - exact).abs().max().item() + 1e-3 * exact.abs().max().item()


def test_rotary_positions_do_not_keep_it_from_bf16(tmp_path, monkeypatch):
    seen = []

    def noted(query, *others):
        seen.append(query.dtype)
        return plain_attention(query, *others)

    monkeypatch.setattr("medsweep.models.attention.plain_attention", noted)
    base = make_base("llama", tmp_path, "classification", torch.float32)
    encoder = Encoder(base.tokenizer, the_task("classification"), LABELS, base.longest)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        base.model(**pad(encoder.encode(documents(4, 0), 64), base))
    assert seen == [torch.bfloat16] * base.targets.layers
