from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from medsweep.report import headline, sentences, to_markdown, write_figures, write_report
from medsweep.report.mistakes import OTHER, UNPARSABLE, confusion_matrix, item_scores, label_scores
from tests.report.simulate import SWEEP, predictions, trials, verdict

NAMESPACES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


class Page(HTMLParser):
    """Tags, ids and text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def ids(self) -> list[str]:
        return [a["id"] or "" for _, a in self.tags if "id" in a]


def report(path: Path, found: dict, table: pd.DataFrame | None, **options: object) -> str:
    write_report(found, table, path / "report.html", **options)  # type: ignore[arg-type]
    return (path / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return predictions(lift=0.02)


@pytest.fixture(scope="module")
def found(table: pd.DataFrame) -> dict:
    return verdict(table)


class TestHtml:
    def test_the_page_needs_nothing_from_anywhere(
        self, tmp_path: Path, found: dict, table: pd.DataFrame
    ) -> None:
        page = report(tmp_path, found, table, trials=trials(), sweep=SWEEP)
        assert set(re.findall(r"https?://[^\s\"'<>]+", page)) <= NAMESPACES
        tags = Page(page).tags
        assert not {"script", "link", "img", "iframe", "object"} & {t for t, _ in tags}
        assert not [a for _, a in tags if "src" in a]
        assert not re.findall(r"@import|url\((?!#)", page)

    def test_every_figure_is_named_and_ids_are_unique(
        self, tmp_path: Path, found: dict, table: pd.DataFrame
    ) -> None:
        page = Page(report(tmp_path, found, table, trials=trials(), sweep=SWEEP))
        drawn = [a for t, a in page.tags if t == "svg"]
        assert len(drawn) == 4
        assert all(a["role"] == "img" and a["aria-label"] for a in drawn)
        assert len(page.ids) == len(set(page.ids))
        links = {a.get("xlink:href") or a.get("href") or "" for _, a in page.tags} - {""}
        assert {link[1:] for link in links} <= set(page.ids)

    def test_it_holds_the_numbers_of_the_verdict(
        self, tmp_path: Path, found: dict, table: pd.DataFrame
    ) -> None:
        text = Page(report(tmp_path, found, table, trials=trials(), sweep=SWEEP)).text
        assert found["smallest"] is not None
        smallest = found["smallest"]
        for expected in (
            headline(found),
            f"{smallest['score']:.3f}",
            f"{found['reference']['score']:.3f}",
            found["power"]["statement"],
            "158",
            "263",
            "501",
            "240",
            f"{100 * max(a['parse_failures'] for a in found['arms']):.1f} %",
            "ab" * 32,
            "drawn 3 times",
            "learning rate 0.0001 to 0.002",
        ):
            assert expected in text
        for cell in found["cells"]:
            assert f"{abs(cell['diff_lower']):.3f}" in text

    def test_what_predicting_took_is_shown_where_it_was_measured(
        self, tmp_path: Path, found: dict, table: pd.DataFrame
    ) -> None:
        def taken(system: dict, seconds: float) -> dict:
            weights = 4 * (system["params"] or 0)
            measured = {"seconds_per_document": seconds, "weights_bytes": weights}
            return {**system, "inference": {**measured, "device": "CPU", "threads": 1}}

        cells = [taken(c, 0.0123) for c in found["cells"]]
        measured = {**found, "cells": cells, "reference": taken(found["reference"], 1.34)}
        page = Page(report(tmp_path, measured, table))
        for expected in ("12.3 ms", "1.3 s", "CPU, 1 thread", "minilm"):
            assert expected in page.text
        assert "12.3 ms a document" in (write_figures(measured, tmp_path)[2]).read_text()
        assert "1 thread" not in Page(report(tmp_path, found, table)).text

    def test_cross_validation_is_told_in_the_methods(self, found: dict) -> None:
        folds = {"data": {"evaluation": {"kind": "crossval", "folds": 4}}}
        told = " ".join(sentences.methods(found, {**SWEEP, **folds}))
        assert "4-fold cross-validation" in told
        assert "test set was predicted once" not in told

    def test_what_a_frontier_gave_up_is_named(
        self, tmp_path: Path, found: dict, table: pd.DataFrame
    ) -> None:
        cell = {"model": "minilm", "train_size": 400, "trials": 2, "needless": False}
        lost = {**cell, "reason": "-0.200 against the reference on dev"}
        for given_up, says in (([lost], "1 cell was given up."), ([], "No cell was given up.")):
            swept = {**found, "strategy": {"name": "frontier", "given_up": given_up}}
            page = Page(report(tmp_path, swept, table, sweep={**SWEEP, "strategy": "frontier"}))
            assert says in page.text
            assert ("minilm n=400: 2 trials, not confirmed; -0.200" in page.text) == bool(given_up)
            assert "For the smallest size of each model" in page.text
        assert "given up" not in Page(report(tmp_path, found, table, sweep=SWEEP)).text

    def test_no_document_is_named(self, tmp_path: Path, found: dict, table: pd.DataFrame) -> None:
        assert "doc-0" not in report(tmp_path, found, table, trials=trials(), sweep=SWEEP)

    @pytest.mark.parametrize("task", ["classification", "ner"])
    def test_names_are_text_and_not_markup(self, tmp_path: Path, task: str) -> None:
        evil = "<script>alert('$x$')</script>"
        table = predictions(task, documents=60, draws=2, classes=(evil, "a & b", 'quo"te', "d"))
        table["model"] = table["model"].replace("minilm", "<b>mini$_lm$")
        decided = verdict(table, task, name=evil, params={"<b>mini$_lm$": 7, "smollm2-135m": 9})
        rows = trials()
        rows["model"] = rows["model"].replace("minilm", "<b>mini$_lm$")
        page = report(tmp_path, decided, table, trials=rows)
        assert not {"script", "b"} & {tag for tag, _ in Page(page).tags}
        assert evil in Page(page).text
        assert "<script" not in to_markdown(decided, table, trials=rows)
        for file in write_figures(decided, tmp_path / "figures", predictions=table, trials=rows):
            assert ElementTree.parse(file).getroot().tag.endswith("svg")
            assert "<script" not in file.read_text()

    @pytest.mark.parametrize("task", ["classification", "ner"])
    @pytest.mark.parametrize("draws", [1, 3])
    @pytest.mark.parametrize("lift", [-0.3, 0.2])
    def test_it_renders_for_every_kind_of_verdict(
        self, tmp_path: Path, task: str, draws: int, lift: float
    ) -> None:
        table = predictions(task, documents=120, sizes=(20, 40), draws=draws, lift=lift)
        decided = verdict(table, task)
        text = Page(report(tmp_path, decided, table)).text
        assert ("No cell is shown to match" in text) == (decided["fewest_labels"] is None)
        assert ("this adapter alone" in text) == (
            draws == 1 and decided["fewest_labels"] is not None
        )

    def test_it_renders_without_candidates_trials_or_predictions(self, tmp_path: Path) -> None:
        table = predictions(documents=80, sizes=(20,), draws=1)
        alone = table[(table["arm"] != "finetuned") | (table["model"] == "llama-3.1-8b")]
        decided = verdict(alone)
        assert decided["cells"] == []
        for rows in (None, pd.DataFrame()):
            page = Page(report(tmp_path, decided, None, trials=rows, sweep={})).text
            assert "there is no fine-tuned candidate" in page

    def test_unknown_parameters_are_said_to_be_unknown(self, tmp_path: Path) -> None:
        table = predictions(documents=200, sizes=(100, 200), lift=0.2)
        decided = verdict(table, params=None)
        assert decided["smallest"] is None
        assert decided["fewest_labels"] is not None
        text = Page(report(tmp_path, decided, table)).text
        assert "No smallest model is named" in text
        assert "unknown parameters" in text

    def test_the_same_results_give_the_same_file(
        self, tmp_path: Path, found: dict, table: pd.DataFrame
    ) -> None:
        first = report(tmp_path, found, table, trials=trials())
        assert report(tmp_path, found, table, trials=trials()) == first


class TestMistakes:
    ROWS = pd.DataFrame(
        {
            "draw": [0] * 4 + [1] * 4,
            "gold": ["a", "a", "b", "b"] * 2,
            "pred": ["a", "b", "b", "", "a", "c", "b", "b"],
        }
    )

    def test_counts_are_means_over_draws(self) -> None:
        found = confusion_matrix(self.ROWS)
        assert found.pred == ["a", "b", OTHER, UNPARSABLE]
        assert found.counts.tolist() == [[1, 0.5, 0.5, 0], [0, 1.5, 0, 0.5]]

    def test_scores_of_labels(self) -> None:
        a, b = label_scores(confusion_matrix(self.ROWS))
        assert (a.precision, a.recall, a.support) == (1.0, 0.5, 2)
        assert (b.precision, b.recall) == (0.75, 0.75)

    def test_scores_of_spans_are_strict(self) -> None:
        gold = '[[0, 4, "x"], [6, 9, "y"]]'
        rows = pd.DataFrame(
            {"draw": 0, "gold": [gold, gold], "pred": ['[[0, 4, "x"], [6, 8, "y"]]', ""]}
        )
        x, y = item_scores(rows, "types")
        assert (x.name, x.precision, x.recall, x.support) == ("x", 1.0, 0.5, 2)
        assert (y.precision, y.recall, y.f1) == (0.0, 0.0, 0.0)

    def test_scores_of_attributes_are_by_field(self) -> None:
        rows = pd.DataFrame(
            {
                "draw": 0,
                "gold": ['[[0, 4, "x", {"dose": "1", "negation": "true"}], [6, 9, "y"]]'],
                "pred": ['[[0, 4, "x", {"dose": "1", "negation": "false"}]]'],
            }
        )
        dose, negation = item_scores(rows, "attributes")
        assert (dose.name, dose.f1, negation.name, negation.f1) == ("dose", 1, "negation", 0)
        assert [s.f1 for s in item_scores(rows, "types")] == [1, 0]

    def test_scores_of_labels_that_come_together(self) -> None:
        rows = pd.DataFrame(
            {"draw": 0, "gold": ['["a", "b"]', "[]", '["a"]'], "pred": ['["a"]', '["b"]', ""]}
        )
        a, b = item_scores(rows, "labels")
        assert (a.name, a.precision, a.recall, a.support) == ("a", 1.0, 0.5, 2)
        assert (b.precision, b.recall) == (0.0, 0.0)


class TestMarkdown:
    def test_tables_have_as_many_cells_as_heads(self, found: dict, table: pd.DataFrame) -> None:
        lines = to_markdown(found, table, trials=trials(), sweep=SWEEP).splitlines()
        for at, line in enumerate(lines):
            if line.startswith(("| ---", "| --:")):
                heads = lines[at - 1].count(" | ")
                assert lines[at + 1].count(" | ") == heads
        assert f"**{headline(found)[:40]}" in "\n".join(lines).replace("\\", "")

    def test_figures_are_linked_where_there_are_any(
        self, found: dict, table: pd.DataFrame, tmp_path: Path
    ) -> None:
        names = {p.name for p in write_figures(found, tmp_path / "f", predictions=table)}
        assert names == {
            "forest.svg",
            "curves.svg",
            "sizes.svg",
            "confusion-candidate.svg",
            "confusion-reference.svg",
        }
        assert "(f/forest.svg)" in to_markdown(found, figures=Path("f"))


def test_importing_the_report_is_cheap() -> None:
    code = (
        "import sys; from medsweep.report import headline, write_report; "
        "print([m for m in ('torch', 'ray', 'mlflow', 'matplotlib', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("draws", "lower", "limit"),
    [
        (3, -0.01, "more draws could"),
        (3, -0.2, "test set is small"),
        (1, -0.01, "test set is small"),
    ],
)
def test_the_headline_names_what_limits_it(draws: int, lower: float, limit: str) -> None:
    near = {"draws": draws, "adapter": {"diff_lower": lower}}
    verdict = {"margin": 0.05, "power": {"enough": False}}
    assert limit in sentences._what_limits(verdict, near, 0.01)
    assert sentences._what_limits(verdict, near, -0.06) == ""
