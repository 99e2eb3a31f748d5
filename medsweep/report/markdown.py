"""The report as Markdown, for a README, an issue or a model card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from medsweep.report.blocks import Block, Bullets, Plot, Table
from medsweep.report.content import sections


def to_markdown(
    verdict: Mapping[str, Any],
    predictions: pd.DataFrame | None = None,
    *,
    trials: pd.DataFrame | None = None,
    sweep: Mapping[str, Any] | None = None,
    figures: Path | None = None,
) -> str:
    """The same sections as the HTML file.

    Args:
        verdict: the content of ``verdict.json``.
        predictions: for tables of mistakes.
        trials: rows of ``trials.parquet``.
        sweep: the resolved sweep file.
        figures: folder of figures to link to; without it a figure is its description.
    """
    lines = [f"# {_escape(verdict['name'] or 'medsweep verdict')}", ""]
    for section in sections(verdict, predictions, trials, sweep):
        lines += [f"## {section.title}", ""]
        for block in section.blocks:
            lines += [*_block(block, figures), ""]
    return "\n".join(lines)


def _block(block: Block, figures: Path | None) -> list[str]:
    if isinstance(block, Bullets):
        return [f"- {_escape(item)}" for item in block.items]
    if isinstance(block, Plot):
        link = f"![{_escape(block.alt)}]({figures / block.name}.svg)" if figures else ""
        return [link or f"*{_escape(block.alt)}*", "", _escape(block.caption)]
    if isinstance(block, Table):
        rule = ["---" if i in block.words else "--:" for i in range(len(block.columns))]
        return [
            _row([_escape(c) for c in block.columns]),
            _row(rule),
            *(_row(_marked(row, i in block.marked)) for i, row in enumerate(block.rows)),
            "",
            _escape(block.caption),
        ]
    text = _escape(block.text)
    return [f"**{text}**" if block.kind == "headline" else text]


def _marked(row: Any, marked: bool) -> list[str]:
    first, *rest = (_escape(value) for value in row)
    return [f"**{first}**" if marked else first, *rest]


def _row(values: list[str]) -> str:
    return f"| {' | '.join(values)} |"


def _escape(text: str) -> str:
    """Text that neither Markdown nor the HTML inside of it reads as more than text."""
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", " ".join(text.split()))
