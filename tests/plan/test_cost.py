import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from medsweep.cli import cli
from medsweep.config import load_sweep
from medsweep.models.load import load_base
from medsweep.models.machine import Machine
from medsweep.plan.build import make_plan
from medsweep.plan.cost import costs
from medsweep.tasks import make_task
from medsweep.training import make_engine
from medsweep.training.recipe import Recipe
from tests.training.writers import make_writer

CPUS = Machine((), cores=2, bf16=False)


def rate(shape: tuple[int, int], rows: int, bf16: bool) -> float:
    return 5e10


@pytest.mark.parametrize("length", [32, 12])
def test_tokens_are_those_that_trials_count(sweep_file: Callable[..., Path], length: int) -> None:
    path = sweep_file(
        train_sizes=[9],
        draws=1,
        search={"trials": 1, "rank": [2], "top_layers": [1], "epochs": 3},
        training={"min_steps": 2, "evaluations": 2, "max_length": length},
    )
    plan = make_plan(load_sweep(path))
    (cost,) = costs(plan, CPUS, rate).values()
    (cell,) = plan.cells
    work = plan.workload
    task = make_task(work.kind, work.labels, work.metric)
    base = load_base(plan.folders[cell.model], task)
    recipe = Recipe(rank=2, top_layers=1, epochs=3, min_steps=2, evaluations=2, max_length=length)
    engine = make_engine("solo", base, task)
    engine.attach("t", recipe, work.train(cell, 0), work.folds[0].dev)
    while not (point := engine.advance("t")).done:
        pass
    # The last window of a long document is shorter than the estimate has it.
    assert cost.trained_tokens == pytest.approx(point.tokens, rel=0 if length == 32 else 0.25)
    assert cost.dev_tokens > 0
    assert cost.test_tokens > 0


def test_answers_that_are_written_cost(sweep_file: Callable[..., Path], tmp_path: Path) -> None:
    task = {"kind": "classification", "metric": "macro_f1", "method": "generate"}
    search = {"trials": 1, "rank": [2], "top_layers": [1], "epochs": 3}
    writer = make_writer("llama", tmp_path / "writer")
    (read,), (written,) = (
        costs(
            make_plan(
                load_sweep(
                    sweep_file(
                        task={**task, "method": method},
                        search=search,
                        models=[str(writer.path)],
                        train_sizes=[9],
                        draws=1,
                    )
                )
            ),
            CPUS,
            rate,
        ).values()
        for method in ("likelihood", "generate")
    )
    assert read.written_tokens == 0
    # 4 evaluations of 18 dev documents and 30 test documents, by tokens of {"label": "…"}.
    assert 5 * (4 * 18 + 30) < written.written_tokens < 40 * (4 * 18 + 30)
    assert written.trained_tokens > read.trained_tokens


def test_more_of_everything_costs_more(sweep_file: Callable[..., Path]) -> None:
    (one,) = costs(make_plan(load_sweep(sweep_file(draws=1))), CPUS, rate).values()
    (two,) = costs(make_plan(load_sweep(sweep_file(draws=3, engine="solo"))), CPUS, rate).values()
    assert two.trained_tokens > one.trained_tokens
    assert two.test_tokens == 3 * one.test_tokens
    assert 0 < two.memory_bytes < one.memory_bytes


def test_plan_says_it_as_json_and_as_tables(sweep_file: Callable[..., Path]) -> None:
    path = str(sweep_file(arms=["probe"]))
    said = CliRunner().invoke(cli, ["plan", path, "--json"])
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)
    (model,) = found["models"].values()
    assert model["arm_tokens"] > 0
    assert [r["documents"] for r in found["ladder"]["sizes"]] == [9, 18]
    power = found["power"]
    assert (power["metric"], power["draws"], power["families"]) == ("macro_f1", 2, 2)
    assert [list(row["by_size"]) for row in power["by_discordance"]] == [["9", "18"]] * 3
    shown = " ".join(CliRunner().invoke(cli, ["plan", path]).output.split())
    for words in (
        "trained on",
        "adapters a host",
        "memory a host",
        "stopped early",
        "shown to match, in 100 simulated sweeps of macro F1, 30 test documents, 2 draws",
    ):
        assert words in shown
