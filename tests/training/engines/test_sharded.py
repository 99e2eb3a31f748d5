"""Two workers that share a base learn what one device learns: two processes, gloo, on CPU.

In float64, so that a difference is a mistake and not rounding.
"""

import multiprocessing
import os
import pickle
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from peft import PeftModel
from safetensors.torch import load as load_bytes

from medsweep.models.load import Base
from medsweep.models.quiet import quiet_peft
from medsweep.prompting import limit
from medsweep.tasks import MethodName
from medsweep.tasks.prediction import Prediction
from medsweep.training import forward
from medsweep.training.adapter import share_tensors
from medsweep.training.engines.solo import SoloEngine
from medsweep.training.forward import read_windows
from medsweep.training.methods import make_method
from medsweep.training.recipe import Recipe, TrialError
from tests.training.shapes import documents, make_base, the_task
from tests.training.writers import writing_base

pytestmark = pytest.mark.slow
WORKERS = 2
TRAIN, DEV, TEST = documents(19, 1), documents(9, 2), documents(11, 3)
# Seven rows do not divide by two, nor do the few that go through the model at once.
RECIPE = Recipe(
    rank=4, alpha=8, learning_rate=2e-3, batch_size=7, min_steps=20, epochs=1, evaluations=4
)
CASES: dict[str, tuple[str, str, MethodName, Recipe]] = {
    "bert": ("bert", "classification", "head", RECIPE),
    "llama": ("llama", "ner", "head", replace(RECIPE, top_layers=2, seed=5, max_grad_norm=0.1)),
    "gpt2": ("gpt2", "classification", "likelihood", replace(RECIPE, min_steps=4, evaluations=2)),
    "qwen2": ("qwen2", "ner", "generate", replace(RECIPE, min_steps=4, evaluations=2, seed=7)),
}  # fmt: skip
# What is written by random weights only costs time here.
AT_MOST = 12
TOKENS_AT_ONCE = {"head": 48, "likelihood": 512, "generate": 512}


def base_of(case: str, folder: Path) -> Base:
    name, kind, method, _ = CASES[case]
    if method == "head":
        return make_base(name, folder, kind)
    return writing_base(name, folder, kind, method)


def learn(engine: Any, case: str, state: bytes | None = None) -> dict[str, Any]:
    """A trial from its start, or from ``state``, to its end, and what is left of it."""
    recipe = CASES[case][3]
    engine.attach(case, recipe, TRAIN, DEV, state)
    points, states = [], []
    while not (points and points[-1].done):
        points.append(engine.advance(case))
        states.append(engine.state(case))
    curve = [(p.step, p.train_loss, dict(p.metrics)) for p in points]
    return {"curve": curve, "states": states, "predictions": engine.predict(case, TEST)}


def work(rank: int, port: int, folder: Path) -> None:
    """What one of the workers does; it leaves what it found in ``folder``."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor

    from medsweep.training.engines.sharded import ShardedEngine, shard

    torch.set_num_threads(1)
    limit._AT_MOST = AT_MOST
    # Made before there is a group: of a group, transformers lets only the first worker save.
    bases = {case: base_of(case, folder / f"{case}-{rank}") for case in CASES}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=WORKERS)
    mesh = init_device_mesh("cpu", (WORKERS,))
    found: dict[str, Any] = {}
    for case, (_, kind, method, recipe) in CASES.items():
        forward.TOKENS_AT_ONCE["cpu"] = TOKENS_AT_ONCE[method]
        base = bases[case]
        shard(base, mesh)
        engine = ShardedEngine(base, the_task(kind))
        mine = learn(engine, case)
        engine.save(case, folder / f"{case}-adapter")
        # The next trial in the same modules starts as the first did.
        mine["again"] = learn(engine, case)["curve"]
        alone = (folder / f"{case}-solo-state").read_bytes()
        mine["continued"] = learn(engine, case, alone)["curve"]
        mine["held"] = sum(
            t.to_local().numel() for t in base.model.parameters() if isinstance(t, DTensor)
        )
        engine.attach("bad", replace(recipe, learning_rate=1e300), TRAIN, DEV)
        try:
            while not engine.advance("bad").done:
                pass
        except TrialError as error:
            mine["bad"] = str(error)
        engine.detach("bad")
        mine["left"] = sorted(n for n, t in base.model.named_parameters() if t.requires_grad)
        found[case] = mine
    (folder / f"found-{rank}").write_bytes(pickle.dumps(found))
    dist.destroy_process_group()


@pytest.fixture(scope="module", autouse=True)
def _short_answers() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limit, "_AT_MOST", AT_MOST)
        yield


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Each case trained on one device, and its base."""
    folder, found = tmp_path_factory.mktemp("solo"), {}
    with pytest.MonkeyPatch.context() as patch:
        for case, (_, kind, method, _) in CASES.items():
            patch.setitem(forward.TOKENS_AT_ONCE, "cpu", TOKENS_AT_ONCE[method])
            base = base_of(case, folder / case)
            found[case] = learn(SoloEngine(base, the_task(kind)), case) | {"base": base}
    return found


@pytest.fixture(scope="module")
def together(
    alone: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[dict[str, Any]]]:
    """The same by two workers: their folder, and what each of them found."""
    folder = tmp_path_factory.mktemp("sharded")
    for case, mine in alone.items():
        (folder / f"{case}-solo-state").write_bytes(mine["states"][0])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=work, args=(r, port, folder)) for r in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(240)
        assert worker.exitcode == 0
    return folder, [pickle.loads((folder / f"found-{r}").read_bytes()) for r in range(WORKERS)]


def assert_same_curve(found: list[Any], wanted: list[Any]) -> None:
    for (step, loss, metrics), (step_, loss_, metrics_) in zip(found, wanted, strict=True):
        assert step == step_
        assert loss == pytest.approx(loss_, abs=1e-8)
        assert metrics == pytest.approx(metrics_)


def assert_same_predictions(found: list[Prediction], wanted: list[Prediction]) -> None:
    for one, two in zip(found, wanted, strict=True):
        assert replace(one, scores={}) == replace(two, scores={})
        assert one.scores == pytest.approx(two.scores)


@pytest.mark.parametrize("case", CASES)
def test_losses_and_weights_are_those_of_one_device(
    case: str, alone: dict[str, Any], together: tuple[Path, list[dict[str, Any]]]
) -> None:
    wanted = alone[case]
    for worker in together[1]:
        found = worker[case]
        assert_same_curve(found["curve"], wanted["curve"])
        for state, state_ in zip(found["states"], wanted["states"], strict=True):
            one, two = load_bytes(state), load_bytes(state_)
            assert one.keys() == two.keys()
            for name, tensor in two.items():
                torch.testing.assert_close(one[name], tensor, rtol=0, atol=1e-8)
        assert_same_predictions(found["predictions"], wanted["predictions"])


@pytest.mark.parametrize("case", CASES)
def test_the_saved_adapter_is_plain_peft(
    case: str, alone: dict[str, Any], together: tuple[Path, list[dict[str, Any]]]
) -> None:
    base, (_, kind, _, recipe) = alone[case]["base"], CASES[case]
    with quiet_peft():
        folder = together[0] / f"{case}-adapter"
        loaded = PeftModel.from_pretrained(share_tensors(base.model), folder).eval()
    method: Any = make_method(base, the_task(kind))
    windows = method.encode(TEST, recipe.max_length, for_training=False)
    readings = read_windows(
        loaded.get_base_model(),
        base,
        windows,
        method.read,
        exact=True,
        by_token=method.by_token,
    )
    assert_same_predictions(
        method.decode(TEST, windows, readings).predictions, together[1][0][case]["predictions"]
    )


@pytest.mark.parametrize("case", CASES)
def test_a_trial_moves_between_one_device_and_two(
    case: str, alone: dict[str, Any], together: tuple[Path, list[dict[str, Any]]]
) -> None:
    wanted, found = alone[case], together[1][0][case]
    assert_same_curve(found["continued"], wanted["curve"][1:])
    solo = SoloEngine(wanted["base"], the_task(CASES[case][1]))
    assert_same_curve(learn(solo, case, found["states"][0])["curve"], wanted["curve"][1:])


@pytest.mark.parametrize("case", CASES)
def test_a_worker_holds_half_of_the_base_and_nothing_of_an_ended_trial(
    case: str, alone: dict[str, Any], together: tuple[Path, list[dict[str, Any]]]
) -> None:
    model = alone[case]["base"].model
    heads = [p for n in alone[case]["base"].heads for p in _named(model, n)]
    frozen = sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in heads)
    assert sum(worker[case]["held"] for worker in together[1]) == frozen
    for worker in together[1]:
        assert worker[case]["held"] == pytest.approx(frozen / WORKERS, rel=0.05)
        assert worker[case]["again"] == worker[case]["curve"]
        assert "not finite" in worker[case]["bad"]
        assert worker[case]["left"] == []


def _named(model: torch.nn.Module, last: str) -> list[torch.nn.Parameter]:
    modules = [m for n, m in model.named_modules() if n.rpartition(".")[2] == last]
    return [p for m in modules for p in m.parameters()]
