from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from rich.console import Console

from medsweep.cli.decide import command
from medsweep.cli.shown import verdict_lines
from medsweep.cli.verdict import show
from tests.commands import called, medsweep
from tests.report.simulate import PARAMS, predictions, verdict

BASE = ("--reference", "finetuned:llama-3.1-8b", "--metric", "macro_f1", "--margin", "0.05")


def refused(*arguments: object) -> str:
    done = called("decide", *arguments)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("medsweep: ")
    return line


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return predictions(documents=150, sizes=(50, 100), lift=0.2)


@pytest.fixture(scope="module")
def files(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    table.to_parquet(folder / "p.parquet")
    table.assign(train_size=table["train_size"].replace(0, None)).to_csv(
        folder / "p.csv", index=False
    )
    table.to_json(folder / "p.jsonl", orient="records", lines=True)
    (folder / "params.json").write_text(json.dumps(PARAMS))
    return folder


class TestDecide:
    def test_every_format_gives_the_same_verdict_and_report(
        self,
        files: Path,
        table: pd.DataFrame,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        expected = verdict(table, dev_labels=0)
        for name in ("p.parquet", "p.csv", "p.jsonl"):
            out = tmp_path / name
            options = ("--params", files / "params.json", "--out", out)
            # One of them as a user runs it; the others without its imports.
            run = medsweep if name == "p.csv" else called
            done = run("decide", files / name, *BASE, *options)
            assert done.returncode == 0, done.stderr
            found = json.loads((out / "verdict.json").read_text())
            for key in ("reference", "cells", "arms", "smallest", "fewest_labels", "power"):
                assert found[key] == expected[key]
            assert max(map(len, done.stdout.splitlines()[:-1])) <= 80
            assert (out / "report.html").stat().st_size > 10_000
            again = run("report", out, "--out", tmp_path / "again.html")
            assert again.returncode == 0, again.stderr
            page = (out / "report.html").read_text()
            assert (tmp_path / "again.html").read_text() == page

    def test_a_question_is_counted_once_and_another_one_again(
        self, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        ask = ("decide", files / "p.csv", *BASE[:-1])
        assert "verdict on these test" not in called(*ask, "0.05").stdout
        assert "verdict on these test" not in called(*ask, "0.05").stdout
        done = called(*ask, "0.04", "--out", tmp_path / "out")
        assert "second verdict on these test documents" in " ".join(done.stdout.split())
        judged = json.loads((tmp_path / "out" / "verdict.json").read_text())["judged"]
        assert (judged["number"], len(judged["earlier"])) == (2, 1)
        assert "second verdict on these test" in (tmp_path / "out" / "report.html").read_text()

    def test_a_ledger_that_cannot_be_written_costs_a_note(
        self, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "state").write_text("")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        done = called("decide", files / "p.csv", *BASE)
        assert done.returncode == 0
        assert "How often these test documents have judged is not known" in " ".join(
            done.stdout.split()
        )

    def test_what_is_judged_and_how_can_be_said(self, files: Path, tmp_path: Path) -> None:
        options = (
            "--systems",
            "tuned",
            "--no-sensitivity",
            "--pool",
            "100",
            "--out",
            tmp_path / "v",
        )
        arguments = [str(a) for a in (files / "p.parquet", *BASE, *options)]
        done = CliRunner().invoke(command, arguments)
        assert done.exit_code == 0, done.output
        found = json.loads((tmp_path / "v" / "verdict.json").read_text())
        assert (found["systems"], found["sensitivity"]) == ("tuned", None)
        assert {c["train_size"]: c["claim"] for c in found["cells"]} == {
            50: "n_labels",
            100: "labelled_set",
        }
        assert "descriptive" in done.output
        assert "matches (this set)" in done.output

    def test_it_imports_no_engine(self, files: Path, tmp_path: Path) -> None:
        code = (
            "import sys; from medsweep.cli.decide import command; "
            f"command.main({[str(files / 'p.csv'), *BASE, '--out', str(tmp_path / 'o')]!r}, "
            "standalone_mode=False); "
            "print([m for m in ('torch', 'ray', 'mlflow', 'transformers') if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "[]"

    def test_labels_that_look_like_gaps_stay_labels(self, tmp_path: Path) -> None:
        table = predictions(documents=60, sizes=(20,), classes=("NA", "None", "1.0", "01"))
        table.to_csv(tmp_path / "p.csv", index=False)
        out = tmp_path / "out"
        assert called("decide", tmp_path / "p.csv", *BASE, "--out", out).returncode == 0
        kept = pd.read_parquet(out / "predictions.parquet")
        assert set(kept["gold"]) == {"NA", "None", "1", "01"}

    def test_spans_may_be_lists_in_jsonl(self, tmp_path: Path) -> None:
        table = predictions("ner", documents=60, sizes=(20,))
        rows = table.to_dict("records")
        for row in rows:
            row["gold"], row["pred"] = json.loads(row["gold"]), json.loads(row["pred"] or "[]")
        (tmp_path / "p.jsonl").write_text("\n".join(json.dumps(r) for r in rows))
        done = called(
            "decide",
            tmp_path / "p.jsonl",
            *("--reference", "finetuned:llama-3.1-8b", "--metric", "span_f1", "--margin", "0.05"),
        )
        assert done.returncode == 0, done.stderr

    def test_groups_are_a_column(self, table: pd.DataFrame, tmp_path: Path) -> None:
        patient = table["doc_id"].str[-2:]
        table.assign(patient=patient).to_csv(tmp_path / "p.csv", index=False)
        out = tmp_path / "out"
        options = ("--groups", "patient", "--out", out)
        assert called("decide", tmp_path / "p.csv", *BASE, *options).returncode == 0
        found = json.loads((out / "verdict.json").read_text())
        assert found["power"]["groups"] == patient.nunique()
        assert "in 100 groups" in (out / "report.html").read_text()


class TestRefusals:
    def test_files_that_cannot_be_read(self, tmp_path: Path) -> None:
        assert "no such file" in refused(tmp_path / "x.csv", *BASE)
        for name, content, problem in (
            ("x.txt", "", "cannot be read from a .txt"),
            ("x.parquet", "nonsense", "cannot be read as parquet"),
            ("x.jsonl", '{"arm": 1}\n[secret', "x.jsonl:2: is no JSON object"),
            ("x.csv", "", "cannot be read as csv"),
            ("y.csv", "arm,model\na,b\n", "lack the column doc_id, gold, pred"),
            ("y.jsonl", "", "lack the column"),
        ):
            (tmp_path / name).write_text(content)
            line = refused(tmp_path / name, *BASE)
            assert problem in line
            assert "secret" not in line

    def test_options_that_cannot_be_used(self, files: Path, tmp_path: Path) -> None:
        def change(option: str, value: object) -> tuple[object, ...]:
            return (files / "p.parquet", *BASE, option, value)

        assert "--metric: unknown metric f1" in refused(*change("--metric", "f1"))
        assert "--margin" in refused(*change("--margin", "2"))
        assert "--alpha" in refused(*change("--alpha", "0.7"))
        assert "--seed" in refused(*change("--seed", "-1"))
        assert "--task" in refused(*change("--task", "poetry"))
        assert "--reference: the reference tfidf:x" in refused(*change("--reference", "tfidf:x"))
        assert "lack the column ward" in refused(*change("--groups", "ward"))

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            ("{", "is not JSON"),
            ("[1]", "is no JSON object"),
            ('{"a": "big"}', "params.json: a: is no number of parameters"),
            ('{"a": NaN}', "is no number of parameters"),
            ('{"a": Infinity}', "is no number of parameters"),
        ],
    )
    def test_params_that_cannot_be_used(
        self, files: Path, tmp_path: Path, content: str, problem: str
    ) -> None:
        (tmp_path / "params.json").write_text(content)
        options = ("--params", tmp_path / "params.json")
        assert problem in refused(files / "p.parquet", *BASE, *options)

    def test_a_sweep_is_not_overwritten(self, files: Path, tmp_path: Path) -> None:
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "journal.jsonl").touch()
        assert "holds a sweep" in refused(files / "p.parquet", *BASE, "--out", tmp_path)


class TestReport:
    def test_formats_and_figures(self, files: Path, tmp_path: Path) -> None:
        out = tmp_path / "v"
        assert called("decide", files / "p.parquet", *BASE, "--out", out).returncode == 0
        figures = tmp_path / "figures"
        done = called("report", out, "--format", "md", "--figures", figures)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("# p\n")
        assert (figures / "forest.svg").exists()
        done = called("report", out, "--format", "json")
        assert json.loads(done.stdout) == json.loads((out / "verdict.json").read_text())

    def test_a_folder_without_a_verdict(self, tmp_path: Path) -> None:
        done = called("report", tmp_path)
        assert done.returncode == 2
        assert "there is no verdict" in done.stderr
        (tmp_path / "verdict.json").write_text("{}")
        assert called("report", tmp_path).returncode == 2


class TestShow:
    @staticmethod
    def shown(decided: dict[str, Any]) -> str:
        out = io.StringIO()
        show(decided, Path("runs/x"), console=Console(file=out, width=80))
        return out.getvalue()

    def test_every_system_stands_there_once(self, table: pd.DataFrame) -> None:
        text = self.shown(verdict(table))
        assert text.count("reference") == 3
        assert len([line for line in text.splitlines() if line.startswith("tfidf")]) == 2
        assert "matches" in text

    def test_what_was_shown_comes_first(self, table: pd.DataFrame) -> None:
        decided = verdict(table)
        match = decided["smallest"]
        first, second, third = verdict_lines(decided)
        assert first.startswith(f"Shown: {match['model']} (")
        assert f"tuned on {match['train_size']} documents" in first
        assert f"{match['score']:.2f} against {decided['reference']['score']:.2f}" in first
        assert second.startswith(("Not shown: that ", "Shown for all sizes"))
        assert "TF-IDF" in third
        text = self.shown(decided)
        assert text.startswith("Shown: ")
        assert text.index("For comparison") < text.index("arm ")

    def test_nothing_shown_is_said_first(self, table: pd.DataFrame) -> None:
        decided = {**verdict(table), "smallest": None, "fewest_labels": None}
        assert verdict_lines(decided)[0].startswith(
            "Not shown: that any candidate loses less than 0.05 "
        )

    def test_one_draw_and_no_model(self) -> None:
        table = predictions(documents=150, sizes=(100, 200), draws=1, lift=0.2)
        text = self.shown(verdict(table, reference={"arm": "tfidf", "model": ""}, params=None))
        assert "adapter matches" in text
        assert "None" not in text
        assert max(map(len, text.splitlines())) <= 80

    def test_long_names_fold(self, table: pd.DataFrame) -> None:
        long = table.assign(model=table["model"].replace("minilm", "[x]" + "very-long-name-" * 5))
        lines = self.shown(verdict(long)).splitlines()
        assert max(map(len, lines)) <= 80
        assert "[x]very" in "".join(lines)

    def test_several_labels_a_document(self, tmp_path: Path) -> None:
        rows = [
            {
                "arm": arm,
                "model": model,
                "train_size": 10,
                "draw": 0,
                "doc_id": f"d{i}",
                "gold": ["a", "b"][: i % 3],
                "pred": ["a", "b"][: (i + shift * (i % 5 == 0)) % 3],
            }
            for arm, model, shift in (("finetuned", "m", 0), ("tfidf", "", 1))
            for i in range(30)
        ]
        (tmp_path / "p.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        options = ("--reference", "tfidf", "--margin", "0.05", "--out", tmp_path / "out")
        asked = ("--metric", "micro_f1", "--task", "multilabel")
        done = called("decide", tmp_path / "p.jsonl", *options, *asked)
        assert done.returncode == 0, done.stderr
        verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
        assert verdict["task"] == "multilabel"
        assert verdict["cells"][0]["score"] == 1
        assert "by label" in (tmp_path / "out" / "report.html").read_text()
