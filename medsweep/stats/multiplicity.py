"""Many cells, one error rate: Holm over models, a fixed sequence over sizes within a model.

Testing sizes from the largest down and stopping at the first failure costs no alpha (Maurer,
Hothorn and Lehmacher 1995). Joined with Holm over models this is the graph in which every model
starts with alpha / M at its largest size, hands its whole share down its own sequence, and to the
other models once the sequence is through (Bretz, Maurer, Brannath and Posch, Statistics in
Medicine 28 (2009) 586–604). It holds the family-wise error rate over *all* cells; handing a share
to other models as soon as one's first size has passed would not.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm_of_sequences(sequences: Sequence[Sequence[float]]) -> list[list[float]]:
    """Adjusted p-values for sequences of hypotheses, each tested in its own fixed order.

    Args:
        sequences: for each model, its p-values from the largest size to the smallest; the order
            must not depend on the data.

    Returns:
        adjusted p-values in the same arrangement: a cell is rejected at family-wise level a if
        and only if its adjusted value is at most a.
    """
    adjusted: list[list[float]] = [[] for _ in sequences]
    share = {m: 1.0 for m, chain in enumerate(sequences) if chain}
    share = {m: 1.0 / len(share) for m in share}
    reached = 0.0
    while share:
        ratio = {m: sequences[m][len(adjusted[m])] / share[m] for m in share}
        model = min(ratio, key=lambda m: (ratio[m], m))
        reached = min(1.0, max(reached, ratio[model]))
        adjusted[model].append(reached)
        if len(adjusted[model]) == len(sequences[model]):
            freed = share.pop(model)
            share = {m: s + freed / len(share) for m, s in share.items()}
    return adjusted
