from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medsweep.errors import ConfigError, DataError
from medsweep.stats.decide import decide
from medsweep.stats.verdict import Verdict

CLASSES = np.array(["never", "past", "now", "unknown"])
KEYS = {
    "name",
    "task",
    "metric",
    "margin",
    "alpha",
    "systems",
    "reference",
    "sensitivity",
    "cells",
    "arms",
    "simplest",
    "test_set",
    "smallest",
    "fewest_labels",
    "reason",
    "power",
    "curves",
    "provenance",
}
CELL_KEYS = {
    "model",
    "params",
    "train_size",
    "labels_used",
    "draws",
    "trial",
    "score",
    "ci",
    "diff",
    "diff_lower",
    "p_value",
    "p_adjusted",
    "non_inferior",
    "adapter",
    "claim",
    "draws_below",
    "new_draw",
    "reason",
}


class World:
    """Predictions with a known accuracy on the same documents."""

    def __init__(self, documents: int = 400, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.gold = self.rng.choice(CLASSES, documents, p=[0.55, 0.3, 0.1, 0.05])
        self.ids = [f"d{i}" for i in range(documents)]
        self.hard = self.rng.random(documents)

    def predict(
        self, arm: str, model: str | None, size: int | None, draw: int, accuracy: float
    ) -> pd.DataFrame:
        ease = 0.8 * self.hard + 0.2 * self.rng.random(len(self.ids))
        right = ease < np.quantile(ease, accuracy)
        # The next class is always a wrong one.
        wrong = CLASSES[(np.searchsorted(np.sort(CLASSES), self.gold) + 1) % 4]
        wrong = np.where(wrong == self.gold, "never", wrong)
        wrong = np.where(wrong == self.gold, "now", wrong)
        return pd.DataFrame(
            {
                "arm": arm,
                "model": model,
                "train_size": size,
                "draw": draw,
                "doc_id": self.ids,
                "gold": self.gold,
                "pred": np.where(right, self.gold, wrong),
            }
        )


ACCURACY = {("small", 50): 0.6, ("small", 200): 0.91, ("large", 50): 0.9, ("large", 200): 0.92}
PARAMS = {"small": 20_000_000, "large": 300_000_000, "huge": 70_000_000_000}


def sweep(draws: int = 3, documents: int = 400, seed: int = 0) -> pd.DataFrame:
    world = World(documents, seed)
    parts = [
        world.predict("finetuned", model, size, draw, accuracy)
        for (model, size), accuracy in ACCURACY.items()
        for draw in range(draws)
    ]
    parts.append(world.predict("zero_shot", "huge", None, 0, 0.9))
    parts.append(world.predict("majority", None, None, 0, 0.5))
    return pd.concat(parts, ignore_index=True)


def run(frame: pd.DataFrame, **changes: Any) -> Verdict:
    options: dict[str, Any] = {
        "task": "classification",
        "metric": "accuracy",
        "reference": {"arm": "zero_shot", "model": "huge"},
        "margin": 0.05,
        "params": PARAMS,
    }
    return decide(frame, **{**options, **changes})


def test_the_verdict_names_the_smallest_and_the_cheapest() -> None:
    found = run(sweep())
    by = {(c.model, c.train_size): c for c in found.cells}
    assert [by[k].non_inferior for k in ACCURACY] == [False, True, True, True]
    assert found.smallest is not None
    assert (found.smallest.model, found.smallest.train_size) == ("small", 200)
    assert found.fewest_labels is not None
    assert (found.fewest_labels.model, found.fewest_labels.train_size) == ("large", 50)
    assert found.smallest.claim == "n_labels"
    assert found.reason is None


def test_the_dictionary_has_the_keys_of_verdict_json_and_is_json() -> None:
    found = run(sweep(), dev_labels=30, name="s", provenance={"commit": "x"}).to_dict()
    assert set(found) == KEYS
    assert all(set(c) == CELL_KEYS for c in found["cells"])
    keys = {"draw", "score", "diff", "diff_lower", "p_adjusted", "non_inferior"}
    assert set(found["cells"][0]["adapter"]) == keys
    assert {"arm", "model", "params", "train_size", "score", "ci"} <= set(found["reference"])
    assert found["cells"][0]["labels_used"] == 80
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_test_set_is_known_by_ids_and_gold() -> None:
    frame = sweep(1, 30)
    known = run(frame).test_set
    assert run(frame.sample(frac=1, random_state=1), margin=0.1).test_set == known
    assert run(frame[frame["doc_id"] != frame["doc_id"].iloc[0]]).test_set != known


def test_a_cell_score_is_the_mean_over_its_draws() -> None:
    frame = sweep()
    cell = run(frame).cells[0]
    rows = frame[(frame.arm == "finetuned") & (frame.model == cell.model)]
    rows = rows[rows.train_size == cell.train_size]
    by_draw = rows.groupby("draw")[["gold", "pred"]].apply(lambda d: (d.gold == d.pred).mean())
    assert cell.score == pytest.approx(by_draw.mean())


def test_bound_p_value_and_claim_agree() -> None:
    for cell in run(sweep(), metric="macro_f1").cells:
        assert cell.diff_lower is not None
        assert cell.p_value is not None
        assert cell.p_adjusted is not None
        assert (cell.diff_lower >= -0.05) == (cell.p_value <= 0.05)
        assert cell.p_adjusted >= cell.p_value
        assert cell.diff_lower < cell.diff
        assert cell.ci[0] < cell.score < cell.ci[1]


def test_row_order_does_not_matter_and_the_seed_decides() -> None:
    frame = sweep()
    shuffled = frame.sample(frac=1, random_state=1)
    assert run(frame, seed=3).to_dict() == run(shuffled, seed=3).to_dict()
    assert run(frame, seed=3).to_dict() != run(frame, seed=4).to_dict()


def test_one_draw_claims_adapters_only() -> None:
    found = run(sweep(draws=1))
    assert all(c.non_inferior is None and c.p_value is None for c in found.cells)
    assert all("one draw" in (c.reason or "") for c in found.cells)
    assert found.smallest is not None
    assert found.smallest.claim == "adapter"
    assert "adapters alone" in (found.reason or "")


def test_the_adapter_bound_of_accuracy_is_tangos() -> None:
    from medsweep.stats.intervals import tango

    frame = sweep()
    cell = next(c for c in run(frame).cells if (c.model, c.train_size) == ("large", 200))

    def right(arm: str, model: str) -> np.ndarray[Any, Any]:
        rows = frame[(frame.arm == arm) & (frame.model == model) & (frame.draw == 0)]
        rows = rows[rows.train_size.isna() | (rows.train_size == 200)].sort_values("doc_id")
        return np.asarray(rows.gold == rows.pred)

    ours, theirs = right("finetuned", "large"), right("zero_shot", "huge")
    better, worse = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    assert cell.adapter.diff_lower == pytest.approx(tango(better, worse, 400, 0.1).low)


def test_nothing_matches_and_the_reason_is_given() -> None:
    world = World()
    frame = pd.concat(
        [world.predict("finetuned", "small", 50, d, 0.5) for d in range(3)]
        + [world.predict("zero_shot", "huge", None, 0, 0.9)]
    )
    found = run(frame).to_dict()
    assert found["smallest"] is None
    assert found["fewest_labels"] is None
    assert found["reason"].startswith("no cell is shown")


def test_models_that_fell_away_keep_their_share_of_alpha() -> None:
    found, fewer = (run(sweep(), absent=n).cells for n in (0, 2))
    assert [c.p_value for c in found] == [c.p_value for c in fewer]
    pairs = [(a.p_adjusted or 0, b.p_adjusted or 0) for a, b in zip(found, fewer, strict=True)]
    assert all(a <= b for a, b in pairs)
    assert any(a < b for a, b in pairs)


def test_without_parameters_there_is_no_smallest() -> None:
    found = run(sweep(), params=None)
    assert found.smallest is None
    assert found.fewest_labels is not None
    assert "parameters of large, small are unknown" in (found.reason or "")


def test_few_documents_are_called_too_few() -> None:
    found = run(sweep(documents=40))
    assert found.power.enough is False
    assert "too few" in found.power.statement
    assert found.smallest is None
    assert run(sweep(documents=2000)).power.enough is True


def test_perfect_agreement_on_few_documents_is_no_match() -> None:
    world = World(20)
    same = world.predict("finetuned", "small", 50, 0, 0.8)
    frame = pd.concat(
        [same.assign(draw=d) for d in range(3)] + [same.assign(arm="zero_shot", model="huge")]
    )
    cell = run(frame, metric="macro_f1").cells[0]
    assert cell.diff == 0
    assert cell.non_inferior is False


def test_a_tuned_reference_is_its_largest_size_and_its_smaller_sizes_are_candidates() -> None:
    world = World()
    frame = pd.concat(
        [
            world.predict("finetuned", model, size, draw, 0.9)
            for model in ("small", "huge")
            for size in (50, 200)
            for draw in range(3)
        ]
    )
    found = run(frame, reference={"arm": "finetuned", "model": "huge"})
    assert found.reference.train_size == 200
    assert found.reference.draws == 3
    cells = {(c.model, c.train_size) for c in found.cells}
    assert cells == {("small", 50), ("small", 200), ("huge", 50)}


def test_only_the_reference_model_itself_matches() -> None:
    world = World()
    frame = pd.concat(
        [
            world.predict("finetuned", model, size, draw, accuracy)
            for model, size, accuracy in (("small", 50, 0.5), ("huge", 50, 0.9), ("huge", 200, 0.9))
            for draw in range(3)
        ]
    )
    found = run(frame, reference={"arm": "finetuned", "model": "huge"})
    assert found.smallest is None
    assert found.fewest_labels is not None
    assert found.fewest_labels.model == "huge"
    assert "only the reference model itself" in (found.reason or "")


def test_foreign_predictions_without_a_tuned_arm() -> None:
    world = World()
    frame = pd.concat(
        [world.predict("predictions", m, None, 0, 0.9) for m in ("ours", "annotator")]
    )
    found = run(frame, reference={"arm": "predictions", "model": "annotator"}, params={"ours": 1})
    assert [c.model for c in found.cells] == ["ours"]
    assert found.fewest_labels is not None


def test_unparsable_output_is_wrong_and_its_rate_is_reported() -> None:
    frame = sweep()
    zero = frame.arm == "zero_shot"
    frame.loc[zero & (frame.doc_id.isin(["d1", "d2", "d3", "d4"])), "pred"] = ""
    arm = next(a for a in run(frame).arms if a.arm == "zero_shot")
    assert arm.parse_failures == pytest.approx(0.01)


def test_groups_widen_the_interval() -> None:
    frame = sweep()
    # Patients whose ten documents are alike: sort documents by difficulty.
    order = World().hard.argsort().argsort() // 10
    groups = {f"d{i}": f"p{g}" for i, g in enumerate(order)}
    alone, grouped = run(frame).cells[0], run(frame, groups=groups).cells[0]
    assert grouped.ci[1] - grouped.ci[0] > 1.3 * (alone.ci[1] - alone.ci[0])
    named = run(frame.assign(patient=frame.doc_id.map(groups)), groups="patient")
    assert named.cells[0].ci == pytest.approx(grouped.ci, abs=0.01)
    assert named.power.groups == 40


def test_ner_is_decided_by_span_f1() -> None:
    rng = np.random.default_rng(5)
    gold = [[[10 * j, 10 * j + 5, "Drug"] for j in range(rng.integers(1, 6))] for _ in range(150)]

    def system(arm: str, model: str, size: int | None, draw: int, keep: float) -> pd.DataFrame:
        pred = [[s for s in doc if rng.random() < keep] for doc in gold]
        return pd.DataFrame(
            {
                "arm": arm,
                "model": model,
                "train_size": size,
                "draw": draw,
                "doc_id": range(150),
                "gold": [json.dumps(g) for g in gold],
                "pred": [json.dumps(p) for p in pred],
            }
        )

    frame = pd.concat(
        [system("finetuned", "small", 50, d, 0.95) for d in range(3)]
        + [system("few_shot", "huge", None, 0, 0.95)]
    )
    found = run(frame, task="ner", metric="span_f1", reference={"arm": "few_shot"})
    assert found.cells[0].non_inferior is True
    assert found.power.documents == 150


@pytest.mark.parametrize("documents", [1, 2, 40])
@pytest.mark.parametrize("margin", [1e-6, 1e-4, 0.999])
@pytest.mark.parametrize("alpha", [1e-6, 0.499])
def test_extreme_margins_levels_and_few_documents_are_decided(
    documents: int, margin: float, alpha: float
) -> None:
    frame = sweep(2, documents)
    for metric in ("accuracy", "macro_f1"):
        found = run(frame, metric=metric, margin=margin, alpha=alpha)
        assert found.power.documents == documents
        assert all(0 <= c.adapter.p_adjusted <= 1 for c in found.cells if c.adapter.p_adjusted)
    if margin < 0.01 and documents < 40:
        assert found.smallest is None


@pytest.mark.parametrize("margin", [0, -0.1, 1, 1e-7, float("nan")])
def test_a_useless_margin_is_refused(margin: float) -> None:
    with pytest.raises(ConfigError, match="margin"):
        run(sweep(1, 20), margin=margin)


def test_bad_options_are_refused_with_what_would_do() -> None:
    frame = sweep(1, 20)
    with pytest.raises(ConfigError, match="zero_shot:huge"):
        run(frame, reference={"arm": "few_shot"})
    with pytest.raises(ConfigError, match="has several models"):
        run(frame, reference={"arm": "finetuned"})
    with pytest.raises(ConfigError, match="alpha"):
        run(frame, alpha=0.7)
    with pytest.raises(ConfigError, match=r"from 0\.000001 to below 0\.5"):
        run(frame, alpha=1e-300)
    with pytest.raises(ConfigError, match="no metric"):
        run(frame, metric="span_f1")


def spoil(frame: pd.DataFrame, how: str) -> pd.DataFrame:
    if how == "missing":
        return frame.drop(index=3)
    if how == "doubled":
        return pd.concat([frame, frame.iloc[[3]]])
    if how == "gold":
        return frame.assign(gold=frame.gold.where(frame.index != 3, "other"))
    if how == "column":
        return frame.drop(columns="pred")
    if how == "empty":
        return frame.iloc[:0]
    if how == "size":
        return frame.assign(train_size="many")
    return frame.assign(doc_id=frame.doc_id.where(frame.index != 3))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("missing", "document d3 is missing"),
        ("doubled", "document d3 is there more than once"),
        ("gold", "document d3: has different gold values"),
        ("column", "lack the column pred"),
        ("empty", "there are no predictions"),
        ("size", "no number"),
        ("id", "row 3"),
    ],
)
def test_bad_tables_give_one_line(how: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        run(spoil(sweep(1, 20), how))
    assert "\n" not in str(caught.value)


def test_bad_groups_give_one_line() -> None:
    frame = sweep(1, 20)
    with pytest.raises(DataError, match="lack the column patient"):
        run(frame, groups="patient")
    twice = frame.assign(patient=["p", "q"] * (len(frame) // 2))
    twice.loc[0, "patient"] = "q"
    with pytest.raises(DataError, match="is in two groups"):
        run(twice, groups="patient")


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
@pytest.mark.parametrize("patients", [1, 20])
def test_few_patients_show_nothing_however_many_their_documents(metric: str, patients: int) -> None:
    world = World()
    same = world.predict("finetuned", "small", 50, 0, 0.9)
    frame = pd.concat([same, same.assign(draw=1), same.assign(arm="zero_shot", model="huge")])
    groups = {name: f"p{i % patients}" for i, name in enumerate(world.ids)}
    found = run(frame, metric=metric, groups=groups)
    assert found.cells[0].diff == 0
    assert found.fewest_labels is None
    assert found.power.enough is False
    assert "too few to show anything" in found.power.statement
    many = run(frame, metric=metric, groups={name: name for name in world.ids})
    assert many.fewest_labels is not None


def test_an_unstable_model_is_not_calmed_by_stable_ones() -> None:
    world = World()
    parts = [world.predict("zero_shot", "huge", None, 0, 0.9)]
    for model in "abcdef":
        jumps = (0.8, 0.9, 1.0) if model == "f" else (0.9, 0.9, 0.9)
        parts += [world.predict("finetuned", model, 50, d, x) for d, x in enumerate(jumps)]
    cells = {c.model: c for c in run(pd.concat(parts), resamples=500).cells}
    # The standard error of three draws that differ by 0.1 each is 0.058 alone.
    assert (cells["f"].diff_lower or 0) < cells["f"].diff - 1.64 * 0.058
    assert (cells["a"].diff_lower or 0) > -0.05


def test_draws_from_a_small_pool_are_held_wider() -> None:
    world = World()
    parts = [world.predict("zero_shot", "huge", None, 0, 0.9)]
    parts += [world.predict("finetuned", "m", 200, d, x) for d, x in enumerate((0.86, 0.9, 0.94))]
    frame = pd.concat(parts)
    free, pooled = (run(frame, pool=size, resamples=500).cells[0] for size in (None, 400))
    assert (pooled.diff_lower or 0) < (free.diff_lower or 0) - 0.01
    with pytest.raises(ConfigError, match=r"decide\.pool"):
        run(frame, pool=0)


@pytest.mark.parametrize("named", ["mapping", "column"])
def test_a_document_without_a_group_is_one_of_its_own(named: str) -> None:
    frame = sweep(1, 20)
    groups: Any = {"d0": "d7", "d1": "d7"}
    if named == "column":
        frame["patient"] = frame.doc_id.map(groups)
        groups = "patient"
    assert run(frame, groups=groups).power.groups == 19


def test_a_decision_takes_less_than_half_a_second() -> None:
    world = World(500)
    frame = pd.concat(
        [
            world.predict("finetuned", model, size, draw, 0.9)
            for model in ("a", "b", "c")
            for size in (50, 200)
            for draw in range(3)
        ]
        + [world.predict("zero_shot", "huge", None, 0, 0.9)]
    )
    times = []
    for _ in range(5):
        start = time.process_time()
        run(frame, metric="macro_f1")
        times.append(time.process_time() - start)
    assert min(times) < 0.5


def test_deciding_imports_no_training_stack() -> None:
    code = (
        "import sys, medsweep, medsweep.stats; medsweep.decide;"
        "print([m for m in ('torch', 'ray', 'mlflow', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class TestTablesWithoutMissingValues:
    """``predictions.parquet`` writes "" for no model and 0 for no training."""

    @staticmethod
    def table(model: Any, size: Any) -> pd.DataFrame:
        rows = []
        for arm, name, n in (("rules", model, size), ("finetuned", "m", 50)):
            for i in range(40):
                pred = str(i % 2) if arm == "rules" or i else "1"
                rows.append((arm, name, n, 0, f"d{i}", str(i % 2), pred))
        columns = ["arm", "model", "train_size", "draw", "doc_id", "gold", "pred"]
        return pd.DataFrame(rows, columns=columns)

    @pytest.mark.parametrize("model", ["", None, float("nan")])
    @pytest.mark.parametrize("size", [0, None, float("nan")])
    @pytest.mark.parametrize("wanted", ["", None])
    def test_all_ways_to_say_nothing_are_one(self, model: Any, size: Any, wanted: Any) -> None:
        found = decide(
            self.table(model, size),
            task="classification",
            metric="accuracy",
            reference={"arm": "rules", "model": wanted},
            margin=0.2,
        )
        assert (found.reference.model, found.reference.train_size) == (None, None)
        assert found.arms[1].train_size is None

    def test_a_negative_size_is_refused(self) -> None:
        with pytest.raises(DataError, match="below 0"):
            decide(
                self.table("", -1),
                task="classification",
                metric="accuracy",
                reference={"arm": "rules"},
                margin=0.2,
            )

    def test_whole_numbers_are_the_same_label_in_a_column_with_gaps(self) -> None:
        table = self.table("", 0)
        table["gold"] = table["gold"].astype(int)
        table["pred"] = table["pred"].astype(float)
        table.loc[79, "pred"] = float("nan")
        found = decide(
            table,
            task="classification",
            metric="accuracy",
            reference={"arm": "rules"},
            margin=0.2,
        )
        assert found.reference.score == 1.0
        assert found.cells[0].score == pytest.approx(38 / 40)
        assert found.arms[0].parse_failures == pytest.approx(1 / 40)


def test_exact_match_of_label_sets_is_decided_as_accuracy_is() -> None:
    rng = np.random.default_rng(0)
    gold = rng.choice(["a", "b"], 120)
    rows = []
    for arm, share in (("finetuned", 0.9), ("tfidf", 0.85)):
        right = rng.random(120) < share
        rows += [
            (arm, arm, 10, 0, f"{i}", g, g if r else "c")
            for i, (g, r) in enumerate(zip(gold, right, strict=True))
        ]
    table = pd.DataFrame(
        rows, columns=["arm", "model", "train_size", "draw", "doc_id", "gold", "pred"]
    )
    sets = table.assign(**{c: table[c].map(lambda v: json.dumps([v])) for c in ("gold", "pred")})
    # The same set may be written in another way.
    sets["pred"] = sets["pred"].str.replace('["a"]', '[ "a", "a" ]')
    options: Any = {"reference": {"arm": "tfidf", "model": "tfidf"}, "margin": 0.1}
    one = decide(table, task="classification", metric="accuracy", **options).to_dict()
    two = decide(sets, task="multilabel", metric="exact_match", **options).to_dict()
    assert one["cells"] == two["cells"]
    three = decide(sets, task="multilabel", metric="micro_f1", **options).to_dict()
    assert three["cells"][0]["score"] == pytest.approx(one["cells"][0]["score"])


def test_a_label_that_gold_writes_otherwise_is_no_wrong_answer() -> None:
    """Or a reference in lower case would have every candidate match."""
    table = pd.DataFrame(
        [
            {"arm": arm, "model": "m", "train_size": 0, "draw": 0, "doc_id": f"d{i}",
             "gold": "AB"[i % 2], "pred": "AB"[i % 2].lower() if arm == "zero_shot" else "A"}
            for arm in ("zero_shot", "finetuned") for i in range(40)
        ]
    )  # fmt: skip
    with pytest.raises(DataError, match="zero_shot m: predicts 'a', which gold writes 'A'"):
        decide(
            table, task="classification", metric="accuracy", reference={"arm": "zero_shot"},
            margin=0.05,
        )  # fmt: skip
