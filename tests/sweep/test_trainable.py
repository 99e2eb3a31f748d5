from pathlib import Path
from types import SimpleNamespace

import pytest

from medsweep.sweep import trainable
from medsweep.sweep.items import Cell, Item
from medsweep.sweep.trainable import Trial, TrialFolder


def remote(result: object) -> SimpleNamespace:
    return SimpleNamespace(remote=lambda *_: result)


def test_what_was_trained_and_is_gone_is_never_judged_as_a_fresh_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host has no ``attach``: a slot that is opened without a state would show as an error."""
    ray = SimpleNamespace(
        get=lambda value: value,
        get_runtime_context=lambda: SimpleNamespace(current_actor=None),
    )
    monkeypatch.setattr(trainable, "ray", ray)
    pool = SimpleNamespace(acquire=remote((0, SimpleNamespace())))
    cell = Cell("m", 9)
    adopting = Item("m-n9-d0", "confirm", cell, adopt="m-n9-t00")
    trained = Item("m-n9-d1", "confirm", cell, draw=1)
    point = {"iteration": 1, "score": 0.5, "finished": True}
    folder = TrialFolder(tmp_path, trained.name)
    folder.add(point, b"state")
    folder.forget_state()
    for item, name in ((adopting, "m-n9-t00"), (trained, "m-n9-d1")):
        trial = object.__new__(Trial)
        trial.setup(item.to_dict(), pool, str(tmp_path))
        found = trial.step()
        assert found["done"]
        assert found["error"] == f"the trained state of {name} is gone"
