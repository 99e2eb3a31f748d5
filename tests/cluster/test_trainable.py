from pathlib import Path
from types import SimpleNamespace

import pytest

from medsweep.cluster import trainable
from medsweep.cluster.trainable import TuneTrial
from medsweep.record.folder import TrialFolder
from medsweep.record.trial import Cell, Trial


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
    adopting = Trial("m-n9-d0", "confirm", cell, adopt="m-n9-t00")
    trained = Trial("m-n9-d1", "confirm", cell, draw=1)
    point = {"iteration": 1, "score": 0.5, "finished": True}
    folder = TrialFolder(tmp_path, trained.name)
    folder.add(point, b"state")
    folder.forget_state()
    for trial, name in ((adopting, "m-n9-t00"), (trained, "m-n9-d1")):
        process = object.__new__(TuneTrial)
        process.setup(trial.to_dict(), pool, str(tmp_path))
        found = process.step()
        assert found["done"]
        assert found["error"] == f"the trained state of {name} is gone"
