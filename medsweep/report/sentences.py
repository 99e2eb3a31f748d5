"""The verdict in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsweep.report import words

FRONTIER = (
    "Cells were gone through from the smallest model and the smallest training size up; each "
    "larger size took over the best third of the configurations of the size below it (successive "
    "halving over training sizes). Each model's smallest size was confirmed where it was tried."
)
GIVING_UP = (
    "A cell was given up where its predictive power, the chance of a match seen from the "
    "development set alone, was below 5 %, or where another cell with as small a model and as few "
    "labels had 90 % or more."
)


def headline(verdict: Mapping[str, Any]) -> str:
    """The verdict in one to three sentences, with its numbers.

    Args:
        verdict: the content of ``verdict.json``.
    """
    smallest, fewest = verdict["smallest"], verdict["fewest_labels"]
    if smallest is None and fewest is None:
        return _no_match(verdict)
    best = smallest or fewest
    subject = "The smallest model that matches" if smallest else "The fewest labels that match"
    text = [_match(verdict, best, subject)]
    if smallest is None:
        text.append(f"No smallest model is named: {verdict['reason']}.")
    elif fewest is not None and fewest["train_size"] < smallest["train_size"]:
        text.append(
            f"The fewest labels that match: {fewest['model']} ({words.params(fewest['params'])} "
            f"parameters) with {_labels(fewest)}, difference {words.signed(fewest['diff'])}, "
            f"lower bound {words.signed(fewest['diff_lower'])}."
        )
    if best["claim"] == "adapter":
        text.append(
            "The claim is about this adapter alone: with one draw it cannot be said that so many "
            "labels are enough."
        )
    return " ".join(text)


def _match(verdict: Mapping[str, Any], match: Mapping[str, Any], subject: str) -> str:
    reference = verdict["reference"]
    metric = words.metric_name(verdict["metric"])
    claim = "over documents and draws" if match["claim"] == "n_labels" else "over documents"
    return (
        f"{subject} the {reference_name(reference)} is {match['model']} "
        f"({words.params(match['params'])} parameters) with {_labels(match)}: {metric} "
        f"{match['score']:.3f} against {reference['score']:.3f}, difference "
        f"{words.signed(match['diff'])}, lower bound {words.signed(match['diff_lower'])}, above "
        f"the margin of {-verdict['margin']:g} ({claim}; adjusted "
        f"{words.p_phrase(match['p_adjusted'])})."
    )


def _no_match(verdict: Mapping[str, Any]) -> str:
    reference = verdict["reference"]
    head = (
        f"No cell is shown to match the {reference_name(reference)}, "
        f"{words.metric_name(verdict['metric'])} {reference['score']:.3f}, "
        f"within {verdict['margin']:g}"
    )
    if not verdict["cells"]:
        return f"{head}: {verdict['reason']}."
    near = max(verdict["cells"], key=lambda c: words.bounded(c)[1])
    diff, lower, adjusted = words.bounded(near)
    text = (
        f"{head}. The closest is {near['model']} with {_labels(near)}: difference "
        f"{words.signed(diff)}, lower bound {words.signed(lower)}"
    )
    if lower > -verdict["margin"] and adjusted is not None:
        text += (
            f", which lies above the margin alone but not after correction for the number of "
            f"cells (adjusted {words.p_phrase(adjusted)})"
        )
    else:
        text += f", below the margin of {-verdict['margin']:g}"
    return f"{text}.{_what_limits(verdict, near, diff)}"


def _what_limits(verdict: Mapping[str, Any], near: Mapping[str, Any], diff: float) -> str:
    """Draws or test documents, where a cell that could match is not shown to."""
    if verdict["power"]["enough"] is not False or diff <= -verdict["margin"]:
        return ""
    one = near.get("adapter") or {}
    if near["draws"] > 1 and one.get("diff_lower", -1.0) > -verdict["margin"]:
        return (
            f" This is no proof of a difference: with {near['draws']} draws, which differ among "
            "themselves, nobody can say that so many labels are enough; more draws could."
        )
    return " This is no proof of a difference: the test set is small for this margin."


def reference_name(reference: Mapping[str, Any]) -> str:
    """``reference (fine-tuned llama-70b, 70.6 B parameters)``."""
    size = f", {words.params(reference['params'])} parameters" if reference["params"] else ""
    return f"reference ({words.system_name(reference['arm'], reference['model'])}{size})"


def _labels(match: Mapping[str, Any]) -> str:
    size, used = match["train_size"], match["labels_used"]
    if not size:
        return "no training labels"
    text = f"{size} training labels"
    return f"{text} ({used} with dev)" if used > size else text


def methods(verdict: Mapping[str, Any], sweep: Mapping[str, Any] | None) -> list[str]:
    """Paragraphs that a paper could use, filled with this sweep's numbers."""
    return [" ".join(_training(verdict, sweep or {})), " ".join(_analysis(verdict))]


def _training(verdict: Mapping[str, Any], sweep: Mapping[str, Any]) -> list[str]:
    cells, reference = verdict["cells"], verdict["reference"]
    given_up = (verdict.get("strategy") or {}).get("given_up") or []
    known = (verdict.get("provenance") or {}).get("models") or {}
    sizes = sorted({c["train_size"] for c in [*cells, *given_up] if c["train_size"]})
    models = {c["model"]: (known.get(c["model"]) or {}).get("parameters") for c in given_up}
    models |= {c["model"]: c["params"] for c in cells}
    names = words.listed(
        f"{m} ({words.params(p)} parameters)" if p else m for m, p in models.items()
    )
    text = []
    if cells:
        how = words.arm_name(words.candidate_arm(verdict))
        with_sizes = f" on {words.listed(sizes)} labelled documents" if sizes else ""
        text.append(
            f"We compared {words.plural(len(models), 'model')} ({how}: {names}){with_sizes} with "
            f"the {reference_name(reference)}."
        )
    if not sweep:
        return text
    draws = words.plural(sweep.get("draws") or 1, "time")
    text.append(
        "Training sets were nested and stratified, each size holding the smaller ones, and were "
        f"drawn {draws}."
    )
    if search := sweep.get("search"):
        dev = cells[0]["labels_used"] - cells[0]["train_size"] if cells else 0
        stopping = " with early stopping by successive halving" * bool(sweep.get("early_stopping"))
        frontier = sweep.get("strategy") == "frontier"
        where = "the smallest size of each model" if frontier else "each model and size"
        if frontier and reference["arm"] == "finetuned":
            where += ", and for the reference,"
        chosen = "of each cell that was not given up " if frontier else ""
        text.append(
            f"Adapters were low-rank (LoRA). For {where} "
            f"{words.plural(search.get('trials') or 1, 'configuration')} "
            f"({_space(search)}) of at most {words.plural(search.get('epochs') or 1, 'epoch')} "
            f"{'was' if search.get('trials') == 1 else 'were'} tried{stopping} on a development "
            f"set of {dev} documents, which count as labels; the best {chosen}was trained on every "
            "draw."
        )
        if frontier:
            text.append(FRONTIER)
            if given_up:
                text.append(f"{GIVING_UP} {_number_given_up(len(given_up))}")
            if {c["model"] for c in given_up} - {c["model"] for c in cells}:
                text.append(
                    "Models of which no cell was confirmed kept their share of the error rate."
                )
    text.append(_evaluation(sweep))
    return text


def _evaluation(sweep: Mapping[str, Any]) -> str:
    how = (sweep.get("data") or {}).get("evaluation") or {}
    if how.get("kind") != "crossval":
        return "The test set was predicted once and took no part in any choice."
    return (
        f"Evaluation was by {how['folds']}-fold cross-validation over all documents, groups kept "
        "together: every choice was made anew within the training side of each fold, each document "
        "was predicted once a draw by an adapter that had not seen it, and these predictions were "
        "pooled."
    )


def _space(search: Mapping[str, Any]) -> str:
    rate = search.get("learning_rate")
    if isinstance(rate, Mapping):
        rates = f"learning rate {rate['low']:g} to {rate['high']:g}"
    else:
        rates = f"learning rate {words.listed(rate or ['default'])}"
    parts = [f"rank {words.listed(search.get('rank') or ['default'])}"]
    if layers := search.get("top_layers"):
        climbed = " (a later value only where it is better by a standard error on dev)"
        parts.append(f"top layers {words.listed(layers)}{climbed if len(layers) > 1 else ''}")
    return "; ".join([*parts, rates])


def _analysis(verdict: Mapping[str, Any]) -> list[str]:
    power, alpha = verdict["power"], verdict["alpha"]
    groups = power["groups"]
    unit = "documents" if groups is None else f"{groups} groups of documents"
    several = any(c["draws"] > 1 for c in verdict["cells"])
    draws = (
        " Its variance is the bootstrap variance over documents of the mean over draws, plus the "
        "variance between draws less its share of document noise, divided by the number of draws, "
        "pooled over cells and taken at the null value where it is larger there; the limit adds "
        "the squared t limits of the two parts (Howe 1974)."
        if several
        else " With one draw, claims are about the adapters tested, not about numbers of labels."
    )
    return [
        f"The outcome was {words.metric_name(verdict['metric'])} on {power['documents']} test "
        f"documents. A candidate was called non-inferior if the one-sided "
        f"{words.share_level(alpha)} lower confidence limit of the paired difference (candidate "
        f"minus reference) lay above the margin of {-verdict['margin']:g}, which was fixed "
        f"beforehand. The difference was bootstrapped over {unit}, with the same resamples for "
        f"all systems.{draws} The family-wise error rate was held at {alpha:g} by Holm's procedure "
        "over models and a fixed sequence from the largest training size down within a model. "
        "Unparsable outputs counted as wrong."
    ]


def frontier(given_up: int) -> str:
    """How ``strategy: frontier`` went through the cells, and how many it passed over."""
    number = _number_given_up(given_up)
    lost = f"{GIVING_UP} {number} None of them can be called a match." if given_up else number
    return f"The strategy was frontier. {FRONTIER} {lost}"


def _number_given_up(number: int) -> str:
    if not number:
        return "No cell was given up."
    return f"{words.plural(number, 'cell')} {'was' if number == 1 else 'were'} given up."


def given_up(cell: Mapping[str, Any]) -> str:
    """``minilm n=400: not run; minilm with n=100 is as good as sure to match.``"""
    trials = cell["trials"]
    how = f"{words.plural(trials, 'trial')}, not confirmed" if trials else "not run"
    return f"{cell['model']} n={cell['train_size']}: {how}; {cell['reason']}."


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
        "Intervals and bounds in tables are not corrected for the number of comparisons; the "
        "decisions are.",
    ]
    if cells and few == 1:
        items.append("At least one cell has one draw of its training set: its luck is unknown.")
    elif cells and few < 5:
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
