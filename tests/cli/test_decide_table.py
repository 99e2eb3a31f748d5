from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from medsweep.cli.decide import command
from medsweep.cli.decide_table import IMPORTED, as_predictions, reference_of
from medsweep.errors import InputError, InputErrors

WIDE = pd.DataFrame(
    {
        "id": [f"d{n}" for n in range(60)],
        "dx": ["ab"[n % 2] for n in range(60)],
        "big": ["ab"[n % 2] for n in range(60)],
        "small": ["ab"[n % 2] if n % 20 else "b" for n in range(60)],
        "group": [f"p{n // 2}" for n in range(60)],
    }
)
NAMES = ("gold=dx", "pred=big", "pred=small")


def long() -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "arm": IMPORTED,
                    "model": model,
                    "train_size": 0,
                    "draw": 0,
                    "doc_id": WIDE["id"],
                    "gold": WIDE["dx"],
                    "pred": WIDE[model],
                    "group": WIDE["group"],
                }
            )
            for model in ("big", "small")
        ],
        ignore_index=True,
    )


def decide(path: Path, out: Path, *options: str) -> Result:
    arguments = [str(path), "--metric", "accuracy", "--margin", "0.1", "--out", str(out), *options]
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_a_column_a_model_is_a_row_a_document_and_model() -> None:
    expected = long()
    for names in (NAMES, ("gold=dx",)):
        table = as_predictions(WIDE, names, "p.csv")
        pd.testing.assert_frame_equal(table[expected.columns], expected)
    assert reference_of("big", table) == f"{IMPORTED}:big"
    assert reference_of("tfidf", table) == "tfidf"


def test_the_verdict_is_that_of_the_usual_table(tmp_path: Path) -> None:
    WIDE.to_csv(tmp_path / "wide.csv", index=False)
    long().to_csv(tmp_path / "long.csv", index=False)
    columns = [argument for name in NAMES for argument in ("--column", name)]
    for name, options in (
        ("wide", ["--reference", "big", *columns]),
        ("long", ["--reference", f"{IMPORTED}:big", "--groups", "group"]),
    ):
        done = decide(tmp_path / f"{name}.csv", tmp_path / name, *options)
        assert done.exit_code == 0, done.output
    first, second = (
        json.loads((tmp_path / name / "verdict.json").read_text()) for name in ("wide", "long")
    )
    assert first["cells"] == second["cells"]
    # Groups that a table has are counted, and kept for the next to decide.
    assert "group" in pd.read_parquet(tmp_path / "wide" / "predictions.parquet")


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputErrors) as caught:
        as_predictions(WIDE, ("gold=dxx", "pred", "text=dx"), "p.csv")
    first, *others = str(caught.value).splitlines()
    assert first.startswith("p.csv: there is no column dxx for gold; name it: --column gold=dx ")
    assert len(others) == 2
    with pytest.raises(InputError, match=r"^p\.csv: predictions lack the column gold, pred; name"):
        as_predictions(WIDE[["id"]].assign(arm="x"), (), "p.csv")
    WIDE.to_csv(tmp_path / "p.csv", index=False)
    (tmp_path / "params.json").write_text("[]")
    options = [
        "--reference",
        "big",
        "--column",
        "gold=x",
        "--params",
        str(tmp_path / "params.json"),
    ]
    with pytest.raises(InputErrors) as caught:
        decide(tmp_path / "p.csv", tmp_path / "out", *options)
    assert len(caught.value.problems) == 2
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="gold is named twice"):
        as_predictions(WIDE, ("gold=dx", "gold=id"), "p.csv")
