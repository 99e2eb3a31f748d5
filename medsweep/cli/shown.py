"""What a sweep has shown, in lines for whoever reads no table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Of the other arms, in the order in which they cost anybody anything.
SIMPLER = {
    "majority": "one label for all",
    "rules": "rules",
    "dictionary": "dictionary",
    "tfidf": "TF-IDF",
    "probe": "probe",
    "zero_shot": "zero-shot",
    "few_shot": "few-shot",
}


def verdict_lines(verdict: Mapping[str, Any]) -> list[str]:
    """Up to three lines: what matches, which sizes do not, and what simpler means reach.

    Args:
        verdict: the content of ``verdict.json``.
    """
    match = verdict["smallest"] or verdict["fewest_labels"]
    lines = [_match(verdict, match), _others(verdict, match)] if match else [_none(verdict)]
    return [line for line in (*lines, _simpler(verdict)) if line]


def _match(verdict: Mapping[str, Any], match: Mapping[str, Any]) -> str:
    from medsweep.report import words

    reference = verdict["reference"]
    labels = f", tuned on {match['train_size']} documents," if match["train_size"] else ""
    one = "One adapter of " if match["claim"] == "adapter" else ""
    return (
        f"Shown: {one}{match['model']} ({words.params(match['params'])} parameters){labels} loses "
        f"less than {verdict['margin']:g} {words.metric_name(verdict['metric'])} to "
        f"{_reference(reference)}: {match['score']:.2f} against {reference['score']:.2f}."
    )


def _others(verdict: Mapping[str, Any], match: Mapping[str, Any]) -> str:
    """The sizes of the same model for which a match is not shown."""
    from medsweep.report import words

    own = sorted(
        (c for c in verdict["cells"] if c["model"] == match["model"] and c["train_size"]),
        key=lambda c: c["train_size"],
    )
    not_shown = [c for c in own if words.decision(c) is words.Decision.NOT_SHOWN]
    if not own:
        return ""
    if not not_shown:
        return f"Shown for all sizes that were tried, from {own[0]['train_size']} documents up."
    named = words.listed(f"{c['train_size']} ({c['score']:.2f})" for c in not_shown)
    return f"Not shown: that {named} documents are enough."


def _none(verdict: Mapping[str, Any]) -> str:
    from medsweep.report import words

    reference = verdict["reference"]
    return (
        f"Not shown: that any candidate loses less than {verdict['margin']:g} "
        f"{words.metric_name(verdict['metric'])} to {_reference(reference)}, which has "
        f"{reference['score']:.2f}."
    )


def _simpler(verdict: Mapping[str, Any]) -> str:
    """The best of each simpler arm, whatever it was given."""
    from medsweep.report import words

    best: dict[str, float] = {}
    for arm in verdict["arms"]:
        kind = arm["arm"].partition("-")[0]
        if kind in SIMPLER:
            best[kind] = max(best.get(kind, 0.0), arm["score"])
    named = [f"{name} {best[kind]:.2f}" for kind, name in SIMPLER.items() if kind in best]
    return f"For comparison: {words.listed(named)}." if named else ""


def _reference(reference: Mapping[str, Any]) -> str:
    from medsweep.report import words

    size = f" ({words.params(reference['params'])})" if reference["params"] else ""
    return f"{words.system_name(reference['arm'], reference['model'])}{size}"
