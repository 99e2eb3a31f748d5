"""Which linear layers an adapter changes, found from the architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from medsweep.errors import ModelError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Targets:
    """The transformer layers of a model, as PEFT wants to hear of them.

    Attributes:
        stack: dotted name of the list of layers, such as ``bert.encoder.layer``.
        linears: names of the linear layers within one layer.
        layers: how many layers there are.
    """

    stack: str
    linears: tuple[str, ...]
    layers: int

    @property
    def pattern(self) -> str:
        """PEFT's ``layers_pattern``: the last part of the stack's name."""
        return self.stack.rpartition(".")[2]

    def top(self, count: int | None) -> list[int]:
        """Indices of the uppermost ``count`` layers; all for None."""
        return list(range(self.layers - min(count or self.layers, self.layers), self.layers))


def find_targets(model: nn.Module) -> Targets:
    """Every linear layer of the largest list of layers in ``model``.

    Raises:
        ModelError: there is no list of layers with linear layers in it.
    """
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    stacks = {
        name: module for name, module in model.named_modules() if isinstance(module, nn.ModuleList)
    }
    sizes = {n: sum(p.numel() for p in m.parameters()) for n, m in stacks.items()}
    for stack in sorted(stacks, key=lambda n: (-sizes[n], n)):
        linears = {
            name
            for layer in stacks[stack]
            for name, module in layer.named_modules()
            if isinstance(module, (nn.Linear, Conv1D))
        }
        if linears:
            return Targets(stack, tuple(sorted(linears)), len(stacks[stack]))
    raise ModelError(
        "no transformer layers found to adapt",
        where=type(model).__name__,
        fix="use a BERT-, GPT- or Llama-like model",
    )
