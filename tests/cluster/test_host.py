from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medsweep import arms
from medsweep.cluster.host import Host
from medsweep.config import load_sweep
from medsweep.plan.build import make_plan
from medsweep.record.trial import Cell, Trial
from medsweep.tasks.prediction import Prediction


class Recorded:
    """An arm that keeps what it is shown, and says the first label of all."""

    trains = True

    def __init__(self) -> None:
        self.shown: list[tuple[int, int, set[str]]] = []

    def predict(self, train: Any, test: Any, *, seed: int) -> list[Prediction]:
        self.shown.append((len(train), len(test), {d.id for d in train} & {d.id for d in test}))
        assert not any(d.has_gold for d in test)
        return [Prediction(d.id, label=train[0].label) for d in test]


@pytest.mark.parametrize("compared", [False, True])
def test_arms_learn_from_the_labels_that_a_cell_spends(
    sweep_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, compared: bool
) -> None:
    plan = make_plan(load_sweep(sweep_file(draws=1)))
    arm = Recorded()
    monkeypatch.setattr(arms, "make_arm", lambda *_, **__: arm)
    host = Host(replace(plan.workload, reference_on_dev=compared), threads=1)
    try:
        rows, points = host.arm(Trial("arm-0-tfidf", "arm", Cell("", 18), arm=0))
    finally:
        host.close()
    # Sizes 9 and 18 with 18 of dev; what is scored on dev has not seen it.
    own = [(18, 18, set[str]())] if compared else []
    assert arm.shown == [(27, 30, set()), (36, 30, set()), *own]
    assert len(rows) == 60
    assert len(points) == len(own)
