"""`medsweep plan`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from medsweep.sweep.plan import Plan


@click.command(
    epilog="""\b
Examples:
  medsweep plan sweeps/quickstart.yaml
  medsweep plan sweep.yaml --set decide.margin=0.03 --set draws=5
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
def command(sweep_file: Path, overrides: tuple[str, ...]) -> None:
    """Say what a sweep would do, before anything is trained.

    Cells and trials, models, labels a class in every rung of the ladder, and what the test set
    can decide at this margin.
    """
    from rich.console import Console

    from medsweep.config import load_sweep
    from medsweep.sweep.plan import make_plan

    plan = make_plan(load_sweep(sweep_file, overrides))
    console = Console()
    for note in plan.notes:
        console.print(f"note: {note}", highlight=False)
    _show_work(plan, console)
    _show_ladder(plan, console)
    _show_power(plan, console)


def _show_work(plan: Plan, console: Console) -> None:
    from rich.table import Table

    sweep = plan.sweep
    search, confirm = sum(plan.budgets.values()), sum(map(plan.draws_of, plan.cells))
    console.print(
        f"{sweep.name}: {len(plan.cells)} cells, {search} search trials, {confirm} confirmations "
        f"({sweep.draws} draws), {len(plan.workload.arms)} other arms",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False)
    for column in ("model", "parameters", "weights on disk, as stored"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for name, folder in plan.folders.items():
        size = sum(f.stat().st_size for f in folder.path.glob("*.safetensors"))
        table.add_row(name, f"{folder.parameters / 1e6:,.1f} M", f"{size / 2**20:,.0f} MiB")
    console.print(table)


def _show_ladder(plan: Plan, console: Console) -> None:
    """Labels by class, or mentions by type (NER), in each rung of draw 0."""
    from rich.table import Table

    work, fold = plan.workload, plan.workload.folds[0]
    table = Table(box=None, pad_edge=False)
    table.add_column("training documents", justify="right")
    for label in work.labels:
        table.add_column(label, justify="right")
    for size in work.sizes:
        documents = [work.documents[i] for i in fold.subsets[0, size]]
        counts = Counter(
            label
            for d in documents
            for label in ([d.label] if d.label else d.labels or [s.type for s in d.spans or ()])
        )
        table.add_row(str(size), *(str(counts[label]) for label in work.labels))
    console.print(table)
    console.print(
        f"labels spent on dev beside these: {plan.labels_spent}; "
        f"test documents: {len(plan.gold)}, seen once, at the end",
        highlight=False,
    )


def _show_power(plan: Plan, console: Console) -> None:
    from medsweep.stats import power

    margin, alpha, documents = (
        plan.sweep.decide.margin,
        plan.sweep.decide.alpha,
        len(plan.gold),
    )
    console.print(
        f"power of one comparison of accuracies, margin {margin:g}, one-sided alpha {alpha:g}, "
        "no true difference:",
        highlight=False,
    )
    for discordance in (0.05, 0.1, 0.2):
        chance = power.power_at(documents, discordance, margin, alpha)
        needed = power.required_documents(discordance, margin, alpha)
        console.print(
            f"  where the two disagree on {discordance:.0%} of the documents: "
            f"{chance:.0%} with these {documents}; 80 % needs {needed}",
            highlight=False,
        )
