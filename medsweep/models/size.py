"""What a base's weights tell of its size, without loading it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod

from medsweep.models.resolve import ModelFolder, tensor_shapes


@dataclass(frozen=True, slots=True)
class Shape:
    """The layers of a base.

    Attributes:
        layers: how many there are.
        weights: numbers in all of them; embeddings and heads are not among them.
        sides: rows plus columns of their matrices: a LoRA of rank 1 has as many numbers.
        largest: (rows, columns) of the largest matrix.
        width: of a hidden state.
        words: numbers of the largest matrix outside of the layers, embeddings and as a rule what
            words are written with.
    """

    layers: int
    weights: int
    sides: int
    largest: tuple[int, int]
    width: int
    words: int


def shape_of(folder: ModelFolder) -> Shape:
    """From the names and shapes of the tensors: a layer's carry its number."""
    shapes = tensor_shapes(folder.path, folder.reference)
    numbered = {n: (m, s) for n, s in shapes.items() if (m := re.search(r"\.(\d+)\.", f".{n}"))}
    matrices = [(s[0], s[1]) for _, s in numbered.values() if len(s) == 2] or [(1, 1)]
    return Shape(
        layers=len({int(m[1]) for m, _ in numbered.values()}) or 1,
        weights=sum(prod(s) for _, s in numbered.values()),
        sides=sum(map(sum, matrices)),
        largest=max(matrices, key=prod),
        width=min(max(matrices, key=prod)),
        words=max((prod(s) for n, s in shapes.items() if n not in numbered), default=0),
    )
