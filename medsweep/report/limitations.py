"""What a reader must bear in mind, for this verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsweep.report import words


def limitations(verdict: Mapping[str, Any]) -> list[str]:
    """What a reader must bear in mind, for this verdict."""
    cells = verdict["cells"]
    few = min((c["draws"] for c in cells), default=1)
    items = [
        "The verdict holds for documents like those of the test set; other hospitals, years and "
        "note types need their own test.",
        f"A match means a loss of less than {verdict['margin']:g} in "
        f"{words.metric_name(verdict['metric'])}, not equality, and says nothing about single "
        "classes: see their table.",
        "A cell that is not shown to match is not shown to be worse either.",
        "The bound holds for test documents and draws of the training documents. It leaves out "
        "what another search or another dev set would have chosen; and the first draw is the best "
        "of the trials on dev, which may be luck.",
        "Intervals and bounds in tables are not corrected for the number of comparisons; the "
        "decisions are.",
    ]
    if cells and few == 1:
        items.append("At least one cell has one draw of its training set: its luck is unknown.")
    if verdict.get("judged"):
        items.append(
            "Earlier verdicts on the same test documents are counted for one user on one machine, "
            "and a test set of which a document or a label was changed counts as another one."
        )
    items += _draws_shown(verdict)
    if 1 < few < 5:
        items.append(
            f"There are {few} draws a cell, so the variance between draws is known roughly; it is "
            "pooled over cells, which assumes that they are alike."
        )
    if any(c["draws"] > 1 for c in cells) and verdict["reference"]["draws"] == 1:
        items.append(
            "The reference is one system: had it been trained or asked again, its score might "
            "differ."
        )
    if verdict["power"]["groups"] is None:
        items.append(
            "Documents are taken as independent; where patients have several, name their groups."
        )
    return items


def _draws_shown(verdict: Mapping[str, Any]) -> list[str]:
    """What the draws of the best cell say of a new one; draws that lie below the margin."""
    items = []
    best = verdict["smallest"] or verdict["fewest_labels"]
    for cell in verdict["cells"]:
        draws, below = cell["draws"], cell.get("draws_below")
        if below is None or draws < 2:
            continue
        name = f"{cell['model']} n={cell['train_size']}"
        if best and all(cell[k] == best[k] for k in ("model", "train_size")):
            items.append(
                f"{name}: {draws - below} of {draws} draws score within the margin, which shows "
                f"({words.share_level(verdict['alpha'])}, one-sided) that a new draw does with a "
                f"chance of at least {words.percent(cell['new_draw'])}; a training that fails now "
                "and then may not have been seen."
            )
        elif below and cell["non_inferior"]:
            items.append(
                f"{name} matches in the mean; {below} of {draws} draws lie below the margin."
            )
    return items
