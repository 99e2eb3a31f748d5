"""The report's tables, as strings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsweep.report import words
from medsweep.report.blocks import Table
from medsweep.report.figures.curves import drawn
from medsweep.report.words import Decision


def cells(verdict: Mapping[str, Any]) -> Table:
    """Every candidate cell and its decision."""
    rows, marked = [], set()
    for i, cell in enumerate(verdict["cells"]):
        diff, lower, adjusted = words.bounded(cell)
        kind = words.decision(cell)
        rows.append(
            [
                cell["model"],
                words.params(cell["params"]),
                str(cell["train_size"]),
                _draws(cell),
                f"{words.number(cell['score'])} [{words.interval(cell['ci'])}]",
                words.signed(diff),
                words.signed(lower),
                words.p_value(adjusted),
                kind.value,
            ]
        )
        if kind is not Decision.NOT_SHOWN:
            marked.add(i)
    score = f"{words.metric_name(verdict['metric'])} [{words.share_level(verdict['alpha'])} CI]"
    return Table(
        [
            "model",
            "parameters",
            "n",
            "draws",
            score,
            "difference",
            "lower bound",
            "p adj.",
            "result",
        ],
        rows,
        f"Candidates. The lower bound is one-sided and must lie above −{verdict['margin']:g}; "
        f"the result follows from the adjusted p (at most {verdict['alpha']:g}). With one draw, "
        "difference, bound and p are those of the adapter. Below: draws that score less than the "
        "reference less the margin.",
        frozenset({0, 8}),
        frozenset(marked),
    )


def _draws(cell: Mapping[str, Any]) -> str:
    below = cell.get("draws_below")
    return f"{cell['draws']} ({below} below)" if below and cell["draws"] > 1 else str(cell["draws"])


def arms(verdict: Mapping[str, Any]) -> Table:
    """Every arm, the reference and the candidates included."""
    reference = verdict["reference"]
    own = (reference["arm"], reference["model"], reference["train_size"])
    rows, marked = [], set()
    for i, arm in enumerate(verdict["arms"]):
        is_reference = (arm["arm"], arm["model"], arm["train_size"]) == own
        if is_reference:
            marked.add(i)
        rows.append(
            [
                words.arm_name(arm["arm"]) + (" (reference)" if is_reference else ""),
                arm["model"] or "–",
                str(arm["train_size"] or "–"),
                str(arm["draws"]),
                f"{words.number(arm['score'])} [{words.interval(arm['ci'])}]",
                "–" if is_reference else words.signed(arm["diff"]),
                "–" if is_reference else words.signed(arm["diff_lower"]),
                words.p_value(arm.get("p_adjusted")),
                words.arm_result(arm, verdict) or "–",
                words.percent(arm["parse_failures"], 1),
            ]
        )
    score = f"{words.metric_name(verdict['metric'])} [{words.share_level(verdict['alpha'])} CI]"
    return Table(
        [
            "arm",
            "model",
            "n",
            "draws",
            score,
            "difference",
            "lower bound",
            "p adj.",
            "result",
            "unparsable",
        ],
        rows,
        "All arms. Bounds here are not adjusted for the number of arms; p and the result are. "
        "Unparsable outputs count as wrong.",
        frozenset({0, 1, 8}),
        frozenset(marked),
    )


def inference(verdict: Mapping[str, Any]) -> Table | None:
    """What predicting took, by model at its largest training size; ``None`` if not measured."""
    systems = sorted(
        (c for c in (*verdict["cells"], verdict["reference"]) if c.get("inference")),
        key=lambda c: c["train_size"],
    )
    largest = {c["model"]: c for c in systems}
    if not largest:
        return None
    rows = []
    for system in sorted(largest.values(), key=lambda c: c["params"] or float("inf")):
        taken = system["inference"]
        rows.append(
            [
                system["model"] + (" (reference)" if "arm" in system else ""),
                words.params(system["params"]),
                str(system["train_size"]),
                words.number(system["score"]),
                words.weights(taken["weights_bytes"]),
                words.latency(taken["seconds_per_document"]),
                f"{taken['device']}, {words.plural(taken['threads'], 'thread')}",
            ]
        )
    return Table(
        ["model", "parameters", "n", "score", "weights", "a document", "on"],
        rows,
        "Measured as the test documents were predicted: base and adapter as loaded, and compute "
        "time a document in batches, beside whatever else the machine did. For comparing models, "
        "not for planning a service.",
        frozenset({0, 6}),
    )


def labels(verdict: Mapping[str, Any]) -> Table:
    """What each training size costs in labels."""
    rows, marked = [], set()
    sizes = sorted({(c["train_size"], c["labels_used"]) for c in verdict["cells"]})
    for i, (size, used) in enumerate(sizes):
        good = [
            c["model"]
            for c in verdict["cells"]
            if c["train_size"] == size and words.decision(c) is not Decision.NOT_SHOWN
        ]
        if good:
            marked.add(i)
        rows.append([str(size), str(used - size), str(used), ", ".join(good) or "none"])
    return Table(
        ["training", "dev", "labels in all", "models shown to match"],
        rows,
        "Labelled documents. Choosing hyperparameters spends labels too, so dev counts.",
        frozenset({3}),
        frozenset(marked),
    )


def labels_needed(verdict: Mapping[str, Any]) -> Table:
    """Training documents at which each fitted curve reaches reference − margin."""
    rows = []
    for curve in drawn(verdict):
        needed, sizes = curve["labels_needed"], curve["train_sizes"]
        if needed is None:
            rows.append([curve["model"], "–", "–", "–", curve["reason"] or ""])
            continue
        none = f"not reached by {sizes[-1]}"
        low = none if needed["low"] is None else str(needed["low"])
        high = none if needed["high"] is None else str(needed["high"])
        rows.append(
            [
                curve["model"],
                none if needed["estimate"] is None else str(needed["estimate"]),
                low if low == high else f"{low} to {high}",
                words.percent(needed["share_reached"]),
                curve["reason"] or "",
            ]
        )
    return Table(
        [
            "model",
            "training documents",
            f"{words.share_level(verdict['alpha'])} interval",
            "curves that reach it",
            "note",
        ],
        rows,
        "Where the curve reaches the reference's score less the margin, within the sizes run. An "
        "estimate, not a decision. A number equal to the smallest size means that size or less.",
        frozenset({0, 4}),
    )


def power(verdict: Mapping[str, Any]) -> list[Table]:
    """Documents needed by discordance, and the power seen in each cell."""
    found = verdict["power"]
    planned = Table(
        ["discordance", "documents needed for 80 %", f"power with {found['documents']}"],
        [
            [words.percent(float(d)), str(n), words.percent(found["power"][d])]
            for d, n in found["required"].items()
        ],
        "One comparison of the accuracies of two adapters, before correction for the number of "
        f"systems: margin {verdict['margin']:g}, one-sided alpha {verdict['alpha']:g}, no true "
        "difference. Discordance: share of documents that exactly one of two systems has "
        "right.",
        frozenset(),
    )
    seen = Table(
        ["model", "n", "standard error", "power", "documents for 80 %"],
        [
            [
                c["model"],
                str(c["train_size"]),
                words.number(c["standard_error"]),
                words.percent(c["power"]),
                "more draws needed"
                if c["documents_needed"] is None
                else str(c["documents_needed"]),
            ]
            for c in found["cells"]
        ],
        "As seen: the standard error of each cell's difference, and the chance of a match if the "
        "true difference were 0, before correction for the number of cells.",
    )
    return [t for t in (planned, seen) if t.rows]


def provenance_table(verdict: Mapping[str, Any]) -> Table:
    """Where the numbers come from."""
    return Table(
        ["item", "value"],
        [
            *_flat("", verdict["provenance"]),
            ["margin, alpha", f"{verdict['margin']:g}, {verdict['alpha']:g}"],
        ],
        "Enough to do it again.",
        frozenset({0, 1}),
    )


def _flat(prefix: str, values: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for key, value in values.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            rows += _flat(f"{prefix}{key}: ", value)
        else:
            rows.append([name, "–" if value is None else str(value)])
    return rows
