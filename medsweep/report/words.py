"""Numbers and names as the report writes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

METRIC_NAMES = {
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "accuracy": "accuracy",
    "exact_match": "exact match",
    "span_f1": "strict span F1",
    "macro_span_f1": "macro span F1",
    "attribute_f1": "attribute F1",
}
ARM_NAMES = {
    "majority": "majority class",
    "rules": "rules",
    "dictionary": "dictionary",
    "tfidf": "TF-IDF",
    "probe": "probe",
    "zero_shot": "zero-shot",
    "few_shot": "few-shot",
    "finetuned": "fine-tuned",
    "endpoint": "endpoint",
    "predictions": "imported",
}


_ORDINALS = (
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
)


class Decision(Enum):
    """What can be said of a cell."""

    MATCHES = "matches"
    SET = "matches (this set)"
    ADAPTER = "adapter matches"
    NOT_SHOWN = "not shown"


def decision(cell: Mapping[str, Any]) -> Decision:
    """The decision on a cell, after adjustment; that on its adapter where it has one draw."""
    if cell["non_inferior"]:
        return Decision.SET if cell.get("claim") == "labelled_set" else Decision.MATCHES
    if cell["non_inferior"] is None and cell["adapter"].get("non_inferior"):
        return Decision.ADAPTER
    return Decision.NOT_SHOWN


def arm_result(arm: Mapping[str, Any], verdict: Mapping[str, Any]) -> str:
    """What can be said of an arm that is no candidate."""
    if arm.get("non_inferior"):
        return "adapter matches" if arm.get("claim") == "adapter" else "matches"
    own = verdict["reference"]
    is_reference = all(arm[k] == own[k] for k in ("arm", "model", "train_size"))
    if verdict.get("systems") == "tuned" and not is_reference:
        return "descriptive"
    return "" if arm.get("non_inferior") is None else "not shown"


def bounded(cell: Mapping[str, Any]) -> tuple[float, float, float | None]:
    """Difference, lower bound and adjusted p-value of the claim that a cell can make."""
    if cell["diff_lower"] is not None:
        return cell["diff"], cell["diff_lower"], cell["p_adjusted"]
    adapter = cell["adapter"]
    return adapter["diff"], adapter["diff_lower"], adapter.get("p_adjusted")


def metric_name(metric: str) -> str:
    """How prose calls a metric."""
    return METRIC_NAMES.get(metric, metric)


def arm_name(arm: str) -> str:
    """How prose calls an arm, and what tells it from another one of its name."""
    name, _, told = arm.partition("-")
    return f"{ARM_NAMES[name]} ({told})" if told and name in ARM_NAMES else ARM_NAMES.get(arm, arm)


def system_name(arm: str, model: str | None) -> str:
    """An arm with its model, as prose calls them."""
    return f"{arm_name(arm)} {model}" if model else arm_name(arm)


def candidate_arm(verdict: Mapping[str, Any]) -> str:
    """The arm of the cells: fine-tuned, or else the reference's own."""
    reference = verdict["reference"]
    own = (reference["arm"], reference["model"], reference["train_size"])
    tuned = any(
        a["arm"] == "finetuned" and (a["arm"], a["model"], a["train_size"]) != own
        for a in verdict["arms"]
    )
    return "finetuned" if tuned or not verdict["arms"] else str(reference["arm"])


def number(value: float | None, digits: int = 3) -> str:
    """A score, or a dash for a missing one."""
    return "–" if _missing(value) else f"{value:.{digits}f}"


def signed(value: float | None) -> str:
    """A difference with its sign, or a dash for a missing one."""
    return "–" if _missing(value) else f"{value:+.3f}"


def count(value: float) -> str:
    """A number of documents, or a mean of such numbers over draws."""
    return f"{value:.0f}" if abs(value - round(value)) < 0.05 else f"{value:.1f}"


def interval(ends: Iterable[float]) -> str:
    """The two ends of an interval."""
    low, high = ends
    return f"{low:.3f}, {high:.3f}"


def p_value(value: float | None) -> str:
    """A p-value to three digits; a smaller one as such."""
    if value is None or _missing(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def p_phrase(value: float) -> str:
    """A p-value inside of a sentence."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def percent(value: float, digits: int = 0) -> str:
    """A share in per cent."""
    return f"{100 * value:.{digits}f} %"


def params(value: int | None) -> str:
    """A number of parameters: ``22.7 M``, ``1.24 B``; ``unknown`` without one."""
    if value is None:
        return "unknown"
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return str(value)


def weights(size: float) -> str:
    """Bytes of weights: ``87 MB``, ``2.5 GB``."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def latency(seconds: float) -> str:
    """Seconds that a document takes: ``12 ms``, ``1.3 s``."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def share_level(alpha: float) -> str:
    """The confidence level 1 − alpha in per cent."""
    return f"{100 * (1 - alpha):g} %"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """``1 draw``, ``3 draws``."""
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def ordinal(number: int) -> str:
    """``third``; ``21st`` where no word is short."""
    if number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def listed(items: Iterable[object]) -> str:
    """``a, b and c``."""
    names = [str(i) for i in items]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)
