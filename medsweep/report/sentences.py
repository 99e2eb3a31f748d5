"""The verdict in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsweep.report import words
from medsweep.stats.metrics import is_proportion

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
    """The verdict in a few sentences, with its numbers.

    Args:
        verdict: the content of ``verdict.json``.
    """
    gate = verdict.get("sensitivity")
    if gate is not None and not gate["passed"]:
        return _barred(verdict, gate)
    simplest, smallest = verdict.get("simplest"), verdict["smallest"]
    fewest = verdict["fewest_labels"]
    text = []
    plain = False
    if simplest is not None and simplest["arm"] != words.candidate_arm(verdict):
        plain = True
        text.append(_match(verdict, simplest, "The simplest system shown"))
    best = smallest or fewest
    if best is None:
        return " ".join([*text, _no_match(verdict)])
    kind = "smallest tuned model" if plain else "smallest model"
    subject = f"The {kind} shown" if smallest else "The fewest labels shown"
    text.append(_match(verdict, best, subject))
    if smallest is None:
        text.append(f"No smallest model is named: {verdict['reason']}.")
    elif fewest is not None and fewest["train_size"] < smallest["train_size"]:
        text.append(
            f"The fewest labels shown to match: {fewest['model']} "
            f"({words.params(fewest['params'])} parameters) with {_labels(fewest)}, difference "
            f"{words.signed(fewest['diff'])}, lower bound {words.signed(fewest['diff_lower'])}."
        )
    return " ".join([*text, *_untried(verdict, best), *_claimed(best)])


def _barred(verdict: Mapping[str, Any], gate: Mapping[str, Any]) -> str:
    reference = verdict["reference"]
    return (
        f"Nothing is said to match: the {reference_name(reference)} has "
        f"{words.metric_name(verdict['metric'])} {reference['score']:.3f} where the majority has "
        f"{gate['majority']:.3f}, difference {words.signed(gate['diff'])}, lower bound "
        f"{words.signed(gate['diff_lower'])}. It is not shown to be better by more than the margin "
        f"of {verdict['margin']:g}, so that to match it shows nothing."
    )


def _match(verdict: Mapping[str, Any], match: Mapping[str, Any], subject: str) -> str:
    reference = verdict["reference"]
    metric = words.metric_name(verdict["metric"])
    arm = match.get("arm", words.candidate_arm(verdict))
    tuned = arm == words.candidate_arm(verdict)
    name = match["model"] if tuned else words.system_name(arm, match["model"])
    size = f" ({words.params(match['params'])} parameters)" if tuned or match["params"] else ""
    return (
        f"{subject} to match the {reference_name(reference)} is {name}{size} with "
        f"{_labels(match)}: {metric} {match['score']:.3f} against {reference['score']:.3f}, "
        f"difference {words.signed(match['diff'])}, lower bound "
        f"{words.signed(match['diff_lower'])}, above the margin of {-verdict['margin']:g} "
        f"({_sampled(verdict, match, arm)}; adjusted {words.p_phrase(match['p_adjusted'])})."
    )


def _sampled(verdict: Mapping[str, Any], match: Mapping[str, Any], arm: str) -> str:
    """``200 documents, 2 draws; reference: one``: what the bound rests on."""
    power = verdict["power"]
    groups = f" in {power['groups']} groups" if power["groups"] is not None else ""
    text = f"{power['documents']} documents{groups}"
    if match["claim"] in ("n_labels", "labelled_set"):
        key = (arm, match["model"] or None, match["train_size"] or None)
        draws = next(
            (
                a["draws"]
                for a in verdict["arms"]
                if (a["arm"], a["model"] or None, a["train_size"] or None) == key
            ),
            1,
        )
        reference = verdict["reference"]["draws"]
        text += (
            f", {words.plural(draws, 'draw')}; reference: {reference if reference > 1 else 'one'}"
        )
    return text


def _untried(verdict: Mapping[str, Any], best: Mapping[str, Any]) -> list[str]:
    """That neither smaller models nor fewer labels were shown to fail."""
    cells = verdict["cells"]
    text = []
    if best["params"] and any(c["params"] and c["params"] < best["params"] for c in cells):
        text.append("Smaller models are not shown to match, which is not to fail.")
    sizes = [c["train_size"] for c in cells if c["model"] == best["model"]]
    if best["train_size"] and best["train_size"] == min(sizes, default=0):
        text.append("Fewer labels were not tried.")
    return text


def _claimed(best: Mapping[str, Any]) -> list[str]:
    """What the claim is about, where it is less than that so many labels are enough."""
    if best["claim"] == "adapter":
        return [
            "The claim is about this adapter alone: with one draw it cannot be said that so many "
            "labels are enough."
        ]
    if best["claim"] == "labelled_set":
        return [
            "The claim is about this labelled set alone: every draw has all of it, so that other "
            "documents might do better or worse."
        ]
    return []


def _no_match(verdict: Mapping[str, Any]) -> str:
    reference = verdict["reference"]
    kind = "tuned cell" if verdict.get("simplest") else "cell"
    head = (
        f"No {kind} is shown to match the {reference_name(reference)}, "
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
    return [
        " ".join(_training(verdict, sweep or {})),
        " ".join(_analysis(verdict, planned=sweep is not None)),
    ]


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
    text += _reference_training(verdict, sweep)
    text.append(_evaluation(verdict, sweep))
    return text


def _reference_training(verdict: Mapping[str, Any], sweep: Mapping[str, Any]) -> list[str]:
    """The reference's own trials, draws and recipe, if it was trained."""
    reference, asked = verdict["reference"], sweep.get("reference") or {}
    if reference["arm"] != "finetuned":
        return []
    trials = asked.get("trials") or (sweep.get("search") or {}).get("trials") or 1
    recipe = ", ".join(
        f"{k.replace('_', ' ')} {v}" for k, v in (reference.get("trial") or {}).items()
    )
    return [
        f"The reference was chosen of {words.plural(trials, 'configuration')} at "
        f"{reference['train_size']} labelled documents and trained on "
        f"{words.plural(reference['draws'], 'draw')}{f' ({recipe})' if recipe else ''}."
    ]


def _evaluation(verdict: Mapping[str, Any], sweep: Mapping[str, Any]) -> str:
    how = (sweep.get("data") or {}).get("evaluation") or {}
    if how.get("kind") != "crossval":
        return (
            "The test set was predicted once and took no part in any choice of this sweep"
            f"{_earlier(verdict)}."
        )
    return (
        f"Evaluation was by {how['folds']}-fold cross-validation over all documents, groups kept "
        "together: every choice was made anew within the training side of each fold, each document "
        "was predicted once a draw by an adapter that had not seen it, and these predictions were "
        f"pooled{_earlier(verdict)}."
    )


def _earlier(verdict: Mapping[str, Any]) -> str:
    """What the ledger says of other verdicts on the same documents."""
    judged = verdict.get("judged") or {}
    if not judged.get("number"):
        return "; whether its documents have judged before was not recorded"
    if judged["number"] == 1:
        return "; no earlier verdict on its documents is on record"
    return (
        f"; it was the {words.ordinal(judged['number'])} verdict on these documents, so that what "
        "was decided between the verdicts may have been chosen by them"
    )


def judged(verdict: Mapping[str, Any]) -> str | None:
    """How often these test documents have judged, where it is not once; None for older verdicts."""
    found = verdict.get("judged")
    if not found or found["number"] == 1:
        return None
    if found["number"] is None:
        return (
            "How often these test documents have judged is not known: the ledger in the user's "
            f"state folder cannot be kept ({found['problem']})."
        )
    return (
        f"This is the {words.ordinal(found['number'])} verdict on these test documents: what was "
        "changed after an earlier one was seen may have been chosen by them, which no bound covers."
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


def _analysis(verdict: Mapping[str, Any], *, planned: bool) -> list[str]:
    power, alpha = verdict["power"], verdict["alpha"]
    groups = power["groups"]
    unit = "documents" if groups is None else f"{groups} groups of documents"
    several = any(c["draws"] > 1 for c in verdict["cells"])
    proportion = is_proportion(verdict["task"], verdict["metric"])
    larger = "" if groups is None else " or, if larger, of a jackknife"
    exact = not several and proportion and groups is None and verdict["reference"]["draws"] == 1
    limit = (
        "The limit is that of Tango's score interval of paired proportions."
        if exact
        else f"The difference's variance over {unit} was that of a bootstrap{larger}, with "
        "the same resamples for all systems, and fewer degrees of freedom where few decide."
    )
    draws = (
        " The variance between draws was pooled over cells, taken at the null value where it is "
        "larger there, and never below the cell's own; the limit adds the squared t limits of the "
        "two parts (Howe 1974)."
        if several
        else " With one draw, claims are about the adapters tested, not about numbers of labels."
    )
    plain = any(a.get("claim") == "system" for a in verdict["arms"])
    if several and plain and proportion and groups is None and verdict["reference"]["draws"] == 1:
        draws += " For systems of which nothing was trained it was that of Tango's score interval."
    over = "models" if verdict.get("systems", "tuned") == "tuned" else "all systems"
    text = [
        f"The outcome was {words.metric_name(verdict['metric'])} on {power['documents']} test "
        "documents. A system was called non-inferior if the one-sided "
        f"{words.share_level(alpha)} lower confidence limit of the paired difference (system "
        f"minus reference) lay above the margin of {-verdict['margin']:g}"
        f"{', which was fixed beforehand' if planned else ''}. {limit}{draws} The family-wise "
        f"error rate was held at {alpha:g} by Holm's procedure over {over} and a fixed sequence "
        "from the largest training size down within each. Unparsable outputs counted as wrong."
    ]
    if verdict.get("sensitivity") is not None:
        text.append(
            "Before that, the reference had to be better than the majority by more than the margin "
            "(assay sensitivity, ICH E10)."
        )
    return text


def sensitivity_sentence(verdict: Mapping[str, Any]) -> str | None:
    """How far the reference is from the majority and from the best plain arm."""
    gate = verdict.get("sensitivity")
    if gate is None:
        return None
    text = (
        f"The reference is {words.signed(gate['diff'])} from the majority "
        f"({words.number(gate['majority'])}), lower bound {words.signed(gate['diff_lower'])}"
    )
    if (best := gate["best_plain"]) is not None:
        size = f" n={best['train_size']}" if best["train_size"] else ""
        text += (
            f", and {words.signed(best['diff'])} from the best of rules, dictionary and TF-IDF "
            f"({words.system_name(best['arm'], best['model'])}{size}, "
            f"{words.number(best['score'])}), lower bound {words.signed(best['diff_lower'])}"
        )
    return f"{text}."


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
