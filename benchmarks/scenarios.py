"""The rows of ``calibration.py``: sweeps whose cells lie one margin below the reference."""

from __future__ import annotations

from dataclasses import replace

from worlds import Scenario

REFERENCE = {"accuracy": 0.85, "macro_f1": 0.75, "span_f1": 0.80}
# From one to forty documents of a patient.
UNEQUAL = (1, 2, 3, 5, 8, 13, 21, 34, 40, 3)


def edge_scenarios() -> list[Scenario]:
    """Every row, by name."""
    return [*_plain(), *_draws(), *_documents(), *_groups(), *_edges()]


def _plain() -> list[Scenario]:
    rows = []
    for metric, reference in REFERENCE.items():
        base = Scenario(metric, metric, reference=reference)
        rows += [
            replace(base, name=f"{metric}, one draw", draws=1, sd=0.0),
            replace(base, name=f"{metric}, draws alike", sd=0.0),
            replace(base, name=f"{metric}, SD 0.03"),
            replace(base, name=f"{metric}, SD 0.09", sd=0.09),
            replace(base, name=f"{metric}, five draws", draws=5),
        ]
    return rows


def _draws() -> list[Scenario]:
    """Draws that differ otherwise than the pooling expects."""
    one = Scenario("", "accuracy", models=1, sizes=(100,))
    many = Scenario("", "accuracy", models=3, sizes=(25, 50, 100, 200, 400), sd=0.09)
    stable = Scenario("", "accuracy", sd=0.007)
    pool = Scenario("", "accuracy", sd=0.05, sizes=(100, 200))
    return [
        replace(one, name="one cell, SD 0.07", sd=0.07),
        replace(one, name="one cell, SD 0.03"),
        replace(one, name="two cells, SD 0.07", models=2, sd=0.07),
        replace(many, name="12 models, 5 sizes, SD 0.09", models=12),
        replace(many, name="3 models, 5 sizes, slope 0", slope=0.0),
        replace(many, name="3 models, 5 sizes, slope -1", slope=-1.0),
        Scenario("SDs differ 4-fold", "accuracy", models=3, sd=0.05, uneven=4.0),
        replace(stable, name="one unstable of 3 models", models=3, unstable="model"),
        replace(
            stable, name="one unstable of 6 models", models=6, sizes=(100,), unstable="model"
        ),
        replace(stable, name="smallest size unstable", models=3, unstable="smallest"),
        replace(pool, name="pool 400, n up to 200", pool=400),
        replace(pool, name="pool 220, n up to 200", pool=220),
        Scenario("reference 3 draws", "accuracy", sd=0.05, reference_draws=3),
        Scenario("reference 5 draws of 3", "accuracy", sd=0.05, reference_draws=5),
        Scenario("reference 3 draws of 5", "macro_f1", draws=5, sd=0.05, reference=0.75,
                 reference_draws=3),
        Scenario("collapse 1 in 6, 3 draws", "accuracy", sd=0.01, collapse=1 / 6),
        Scenario("collapse 1 in 6, 5 draws", "accuracy", draws=5, sd=0.01, collapse=1 / 6),
        Scenario("collapse 1 in 20, 3 draws", "accuracy", sd=0.01, collapse=1 / 20),
    ]  # fmt: skip


def _documents() -> list[Scenario]:
    """Few documents, or few that decide."""
    macro = Scenario("", "macro_f1", reference=0.75)
    rare = replace(macro, documents=400, priors=(0.60, 0.25, 0.10, 0.03, 0.02))
    one = {"draws": 1, "sd": 0.0}
    heavy = Scenario("", "span_f1", documents=104, reference=0.8, heavy=True)
    return [
        replace(macro, name="macro_f1, 104 documents, one draw", documents=104, draws=1, sd=0.0),
        replace(macro, name="macro_f1, 104 documents, draws alike", documents=104, sd=0.0),
        replace(macro, name="macro_f1, 104 documents, SD 0.09", documents=104, sd=0.09),
        Scenario("accuracy, 104 documents, one draw", "accuracy", documents=104, draws=1, sd=0.0),
        Scenario("accuracy, 104 documents, SD 0.03", "accuracy", documents=104),
        Scenario("accuracy, 50 documents", "accuracy", documents=50, sd=0.01, margin=0.1,
                 loss=0.1),
        replace(macro, name="macro_f1, 50 documents", documents=50, sd=0.01, margin=0.1, loss=0.1),
        replace(rare, name="rarest classes 2 and 3 %, one draw", **one),
        replace(rare, name="rarest classes 2 and 3 %, three draws"),
        replace(rare, name="rarest class 2.5 % of 120, one draw", documents=120,
                priors=(0.5, 0.25, 0.15, 0.075, 0.025), **one),
        replace(macro, name="one class loses all, one draw", one_class=3, **one),
        replace(macro, name="one class loses all, 104 documents", documents=104, one_class=2,
                **one),
        replace(heavy, name="heavy-tailed spans, one draw", **one),
        replace(heavy, name="heavy-tailed spans, three draws"),
    ]  # fmt: skip


def _groups() -> list[Scenario]:
    accuracy = Scenario("", "accuracy", group=5)
    macro = replace(accuracy, metric="macro_f1", reference=0.75)
    one = {"draws": 1, "sd": 0.0, "models": 1, "sizes": (100,)}
    unequal = replace(accuracy, group=UNEQUAL, clustered=0.5)
    return [
        replace(accuracy, name="groups of 5, accuracy"),
        replace(macro, name="groups of 5, macro_f1"),
        replace(accuracy, name="groups of 5, clustered", clustered=0.5),
        replace(unequal, name="50 groups of 1 to 40, one draw", documents=650, **one),
        replace(unequal, name="50 groups of 1 to 40, macro_f1", documents=650, metric="macro_f1",
                reference=0.75, **one),
        replace(unequal, name="15 unequal groups", documents=193, **one),
        replace(unequal, name="200 groups of 1 to 40", documents=2600, **one),
        replace(accuracy, name="20 patients lost whole", documents=200, group=10,
                whole_groups=True, **one),
        replace(accuracy, name="60 patients lost whole", documents=600, group=10,
                whole_groups=True, **one),
        replace(accuracy, name="100 groups of 5 with 20 %", documents=500, clustered=0.2, **one),
    ]  # fmt: skip


def _edges() -> list[Scenario]:
    """Other levels, margins, and scores near 1."""
    accuracy = Scenario("", "accuracy")
    macro = Scenario("", "macro_f1", reference=0.75)
    return [
        replace(accuracy, name="alpha 0.01", alpha=0.01),
        replace(macro, name="alpha 0.01, macro_f1", alpha=0.01),
        replace(accuracy, name="margin 0.02", documents=2000, sd=0.01, margin=0.02, loss=0.02),
        replace(accuracy, name="margin 0.1", margin=0.1, loss=0.1),
        replace(accuracy, name="scores near 1", reference=0.99, sd=0.01),
        replace(macro, name="scores near 1, macro_f1", reference=0.97, sd=0.02),
        replace(accuracy, name="scores near 1, one draw", reference=0.99, draws=1, sd=0.0),
    ]


def promise_scenarios() -> list[Scenario]:
    """Sweeps to plan: what a test set could decide, by metric, sizes, draws, groups and pool."""
    macro = Scenario("", "macro_f1", documents=300, reference=0.75, sizes=(100,), models=1)
    accuracy = replace(macro, metric="accuracy", reference=0.85)
    return [
        replace(accuracy, name="accuracy, 300 documents, one draw", draws=1, sd=0.0),
        replace(accuracy, name="accuracy, 500 documents, 4 models, 2 sizes", documents=500,
                models=4, sizes=(50, 200)),
        replace(macro, name="macro_f1, 300 documents"),
        replace(macro, name="macro_f1, 1,000 documents, two draws", documents=1000, draws=2,
                sd=0.02),
        replace(macro, name="macro_f1, 800 documents, 3 models, reference 3 draws", documents=800,
                models=3, sd=0.02, reference_draws=3),
        replace(macro, name="macro_f1, 800 documents in groups of 5", documents=800, group=5),
        replace(macro, name="macro_f1, 800 documents, pool of 200", documents=800, pool=200),
        replace(macro, metric="span_f1", reference=0.8, name="span_f1, 400 documents",
                documents=400),
        replace(macro, metric="span_f1", reference=0.8, heavy=True, documents=400,
                name="span_f1, heavy-tailed, 400 documents"),
    ]  # fmt: skip
