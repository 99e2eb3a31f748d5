"""The report's sections, in order; how they are written down is another module's concern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from medsweep.report import breakdown, figures, sentences, tables, words
from medsweep.report.blocks import Block, Bullets, Section, Text
from medsweep.report.limitations import limitations
from medsweep.report.mistakes import (
    ClassScore,
    confusion_matrix,
    focus,
    item_scores,
    label_scores,
    rows_of,
)

# A larger matrix cannot be read; the table by class still can.
MOST_CLASSES = 20


def sections(
    verdict: Mapping[str, Any],
    predictions: pd.DataFrame | None,
    trials: pd.DataFrame | None,
    sweep: Mapping[str, Any] | None,
) -> list[Section]:
    """All sections for which there is something to show."""
    found = [
        _section("verdict", "Verdict", _verdict(verdict)),
        _section("difference", "Difference against the margin", [figures.forest(verdict)]),
        _section("curves", "Learning curves", [figures.curves(verdict)]),
        _section(
            "labels-needed",
            "Labels needed",
            [tables.labels_needed(verdict)] if verdict["curves"] else [],
        ),
        _section(
            "size", "Model size against score", [figures.sizes(verdict), tables.inference(verdict)]
        ),
        _section("cells", "Candidates", [tables.cells(verdict)] if verdict["cells"] else []),
        _section("budget", "Label budget", [tables.labels(verdict)] if verdict["cells"] else []),
        _section("arms", "All arms", [tables.arms(verdict)]),
        _section("mistakes", "Where the mistakes are", _mistakes(verdict, predictions)),
        _section("search", "How the search went", [*_strategy(verdict), *_search(verdict, trials)]),
        _section(
            "power",
            "What the test set can decide",
            [Text(_sentence(verdict["power"]["statement"])), *tables.power(verdict)],
        ),
        _section("methods", "Methods", [Text(t) for t in sentences.methods(verdict, sweep)]),
        _section("limitations", "Limitations", [Bullets(limitations(verdict))]),
        _section("provenance", "Provenance", [tables.provenance_table(verdict)]),
    ]
    return [s for s in found if s.blocks]


def _section(name: str, title: str, blocks: list[Any]) -> Section:
    return Section(name, title, [b for b in blocks if b is not None])


def _verdict(verdict: Mapping[str, Any]) -> list[Block]:
    notes = [str(n) for n in verdict.get("notes", [])]
    if (judged := sentences.judged(verdict)) is not None:
        notes.append(judged)
    if (assay := sentences.sensitivity_sentence(verdict)) is not None:
        notes.append(assay)
    if verdict["power"]["enough"] is False:
        notes.append(verdict["power"]["statement"])
    blocks: list[Block] = [Text(sentences.headline(verdict), kind="headline")]
    if notes:
        blocks.append(Bullets([_sentence(n) for n in notes]))
    return blocks


def _mistakes(verdict: Mapping[str, Any], predictions: pd.DataFrame | None) -> list[Block]:
    if predictions is None:
        return []
    blocks: list[Block] = []
    scores: dict[str, list[ClassScore]] = {}
    fields: dict[str, list[ClassScore]] = {}
    names = []
    for role, system in (("candidate", focus(verdict)), ("reference", verdict["reference"])):
        rows = rows_of(predictions, system) if system is not None else predictions.head(0)
        if system is None or rows.empty:
            continue
        names.append(f"{role}: {_title(system)}")
        if verdict["task"] == "classification":
            found = confusion_matrix(rows)
            scores[role] = label_scores(found)
            if len(found.pred) <= MOST_CLASSES:
                blocks.append(breakdown.matrix(found, names[-1], rows["draw"].nunique()))
        else:
            scores[role] = item_scores(rows, "types" if verdict["task"] == "ner" else "labels")
            if verdict["task"] == "ner":
                fields[role] = item_scores(rows, "attributes")
    noun = "type" if verdict["task"] == "ner" else "label"
    if not any(scores.values()):
        return blocks
    about = Text("Shown are the " + " and the ".join(names) + ".")
    found_by = [breakdown.classes(scores, noun)]
    if any(fields.values()):
        found_by.append(breakdown.classes(fields, "attribute"))
    return [about, *blocks, *found_by]


def _title(system: Mapping[str, Any]) -> str:
    size = f" n={system['train_size']}" if system["train_size"] else ""
    return words.system_name(system["arm"], system["model"]) + size


def _strategy(verdict: Mapping[str, Any]) -> list[Block]:
    found = verdict.get("strategy") or {}
    if found.get("name") != "frontier":
        return []
    given_up = [sentences.given_up(cell) for cell in found["given_up"]]
    text = Text(sentences.frontier(len(given_up)))
    return [text, Bullets(given_up)] if given_up else [text]


def _search(verdict: Mapping[str, Any], trials: pd.DataFrame | None) -> list[Any]:
    if trials is None or trials.empty:
        return []
    return [*breakdown.trials(trials), figures.search(trials, verdict["metric"])]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
