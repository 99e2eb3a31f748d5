import pytest
from torch import nn

from medsweep.errors import ModelError
from medsweep.models.targets import find_targets
from tests.training.conftest import CLASSES, KINDS, BaseOf, base_of, folders

__all__ = ["base_of", "folders"]  # Fixtures are found by name.

STACKS = {
    "bert": ("bert.encoder.layer", "attention.self.query"),
    "distilbert": ("distilbert.transformer.layer", "attention.q_lin"),
    "gpt2": ("transformer.h", "attn.c_attn"),
    "llama": ("model.layers", "self_attn.q_proj"),
    "modernbert": ("model.layers", "attn.Wqkv"),
    "gemma3": ("model.layers", "self_attn.q_proj"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_linear_of_every_layer_is_found(kind: str, base_of: BaseOf) -> None:
    base = base_of(kind, CLASSES)
    stack, linear = STACKS[kind]
    assert base.targets.stack == stack
    assert base.targets.layers == 3
    assert linear in base.targets.linears
    assert base.heads, "a head must be trained in full"


def test_top_layers_are_counted_from_above(base_of: BaseOf) -> None:
    targets = base_of("bert", CLASSES).targets
    assert targets.top(None) == targets.top(9) == [0, 1, 2]
    assert targets.top(1) == [2]


def test_a_model_without_layers_is_refused() -> None:
    with pytest.raises(ModelError, match="no transformer layers"):
        find_targets(nn.Linear(2, 2))
