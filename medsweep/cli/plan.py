"""`medsweep plan`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from medsweep.plan.plan import Plan


@click.command(
    epilog="""\b
Examples:
  medsweep plan sweeps/quickstart.yaml
  medsweep plan sweep.yaml --set decide.margin=0.03 --set draws=5
  medsweep plan sweep.yaml --json
"""
)
@click.argument("sweep_file", metavar="SWEEP.yaml", type=click.Path(path_type=Path))
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one key of the sweep file. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
def command(sweep_file: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Say what a sweep would do, before anything is trained.

    Cells and trials; tokens, memory and time a model, estimated for this machine; labels a class
    at every size of the ladder; and what the test set can decide at this margin.
    """
    import json

    from medsweep.console import ProgressConsole

    # Before the imports, which take seconds.
    with ProgressConsole().status("reading the sweep file") as status:
        from medsweep.config import load_sweep
        from medsweep.plan.build import make_plan
        from medsweep.plan.inputs import input_problems

        sweep = load_sweep(sweep_file, overrides, input_problems)
        plan = make_plan(sweep, status.update)
        found = {
            "name": plan.sweep.name,
            "notes": list(plan.notes),
            **_work(plan, status.update),
            "ladder": _ladder(plan),
            "power": _power(plan, status.update),
        }
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _show(found)


def _work(plan: Plan, begin: Callable[[str], None]) -> dict[str, Any]:
    from dataclasses import asdict

    begin("loading torch")
    from medsweep.models.machine import product_rate, this_machine
    from medsweep.models.resolve import weight_files
    from medsweep.plan.cost import assumptions, costs

    machine = this_machine()

    def rate(shape: tuple[int, int], rows: int, bf16: bool) -> float:
        return product_rate(shape, rows, bf16=bf16)

    found = costs(plan, machine, rate, begin)
    return {
        "cells": len(plan.cells),
        "search_trials": sum(plan.budgets.values()),
        "confirmations": sum(map(plan.draws_of, plan.cells)),
        "draws": plan.sweep.draws,
        "folds": len(plan.workload.folds),
        "arms": [a.arm for a in plan.workload.arms],
        "models": {
            name: {
                "parameters": folder.parameters,
                "stored_bytes": sum(f.stat().st_size for f in weight_files(folder.path)),
                **asdict(found[name]),
            }
            for name, folder in plan.folders.items()
        },
        "seconds": sum(c.seconds for c in found.values()),
        "strategy": plan.sweep.strategy,
        "assumptions": assumptions(plan.sweep.strategy, machine),
    }


def _ladder(plan: Plan) -> dict[str, Any]:
    """Labels by class, or mentions by type (NER), at each size, in draw 0."""
    work, fold = plan.workload, plan.workload.folds[0]
    sizes = []
    for size in work.sizes:
        documents = [work.documents[i] for i in fold.subsets[0, size]]
        counts = Counter(
            label
            for d in documents
            for label in ([d.label] if d.label else d.labels or [s.type for s in d.spans or ()])
        )
        sizes.append({"documents": size, "labels": {x: counts[x] for x in work.labels}})
    return {"sizes": sizes, "dev_documents": plan.labels_spent, "test_documents": len(plan.gold)}


def _power(plan: Plan, begin: Callable[[str], None]) -> dict[str, Any]:
    begin("simulating what the test set can decide")
    from medsweep.plan.power import DRAW_SD, RECALL, promise_power

    promise = promise_power(plan)
    decided = {"margin": plan.sweep.decide.margin, "alpha": plan.sweep.decide.alpha}
    if promise is None:
        return {**decided, "by_discordance": []}
    study = promise.study
    return {
        **decided,
        "metric": study.metric,
        "documents": len(study.gold),
        "groups": None if study.groups is None else int(study.groups.max()) + 1,
        "draws": study.draws,
        "families": study.models + study.others,
        "assumed": {"recall": RECALL, "draw_sd": DRAW_SD},
        "studies": promise.studies,
        "by_discordance": [
            {
                "discordance": share,
                "power": found.any_size,
                "by_size": found.by_size,
                "standard_error": found.standard_error,
                "documents_for_80_percent": found.documents_needed,
            }
            for share, found in promise.by_discordance.items()
        ],
    }


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    for note in found["notes"]:
        console.print(f"note: {note}")
    folds = f" in {found['folds']} folds" if found["folds"] > 1 else ""
    most = "at most " if found["strategy"] == "frontier" else ""
    console.print(
        f"{found['name']}: {found['cells']} cells{folds}, "
        f"{most}{found['search_trials']} search trials, "
        f"{most}{found['confirmations']} confirmations (draws: {found['draws']}), "
        f"{len(found['arms'])} other arms"
    )
    _show_models(found, console)
    _show_ladder(found["ladder"], console)
    _show_power(found["power"], console)


def _show_models(found: dict[str, Any], console: Console) -> None:
    from rich.table import Table

    cost = Table("model", box=None, pad_edge=False)
    for column in ("parameters", "stored", "adapters a host", "memory a host", "time"):
        cost.add_column(column, justify="right")
    tokens = Table("tokens", box=None, pad_edge=False)
    for column in ("trained on", "dev", "test", "written", "other arms"):
        tokens.add_column(column, justify="right")
    for name, model in found["models"].items():
        cost.add_row(
            name,
            f"{model['parameters'] / 1e6:,.1f} M",
            _size(model["stored_bytes"]),
            str(model["slots"]),
            _size(model["memory_bytes"]),
            _duration(model["seconds"]),
        )
        read = (model[f"{part}_tokens"] for part in ("trained", "dev", "test", "written", "arm"))
        tokens.add_row(name, *map(_millions, read))
    console.print(cost)
    console.print(tokens)
    most = "at most " if found["strategy"] == "frontier" else ""
    console.print(f"{most}about {_duration(found['seconds'])} in all, if")
    for line in found["assumptions"]:
        console.print(f"- {line}")


def _size(number: float) -> str:
    return f"{number / 2**30:,.1f} GiB" if number >= 2**30 else f"{number / 2**20:,.0f} MiB"


def _millions(tokens: int) -> str:
    return f"{tokens / 1e6:,.2f} M" if tokens else "–"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{seconds / 3600:,.1f} h"


def _show_ladder(ladder: dict[str, Any], console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("training documents", justify="right")
    for label in ladder["sizes"][0]["labels"]:
        table.add_column(label, justify="right")
    for size in ladder["sizes"]:
        table.add_row(str(size["documents"]), *map(str, size["labels"].values()))
    console.print(table)
    console.print(
        f"labels spent on dev beside these: {ladder['dev_documents']}; "
        f"test documents: {ladder['test_documents']}, seen once, at the end"
    )


def _show_power(power: dict[str, Any], console: Console) -> None:
    from medsweep.report import words

    if not power["by_discordance"]:
        console.print("power: there is no candidate to compare with the reference")
        return
    groups = "" if power["groups"] is None else f" in {power['groups']} groups"
    shared = words.plural(power["families"], "system")
    console.print(
        f"power: how often one tuned model as good as the reference would be shown to match, in "
        f"{power['studies']} simulated sweeps of {words.metric_name(power['metric'])}, "
        f"{power['documents']} test documents{groups}, {words.plural(power['draws'], 'draw')}, "
        f"margin {power['margin']:g}, one-sided alpha {power['alpha']:g} over {shared}:"
    )
    for row in power["by_discordance"]:
        sizes = words.listed(f"{share:.0%} with n={n}" for n, share in row["by_size"].items())
        needed = row["documents_for_80_percent"]
        documents = f"about {needed} documents" if needed else "more draws, or far more documents"
        console.print(
            f"  where two systems disagree on {row['discordance']:.0%} of the documents: "
            f"{row['power']:.0%} (±{2 * row['standard_error']:.0%}; {sizes}); 80 % needs "
            f"{documents}"
        )
    assumed = power["assumed"]
    console.print(
        f"  if systems find {assumed['recall']:.0%} of gold, scores of draws differ by a standard "
        f"deviation of {assumed['draw_sd']:g}, and no other system matches"
    )
