"""The verdict as values: what ``verdict.json`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from medsweep.stats.curve import Curve

# That so many labels are enough; that this labelled set is (all of it was used in every draw); that
# one trained adapter is as good; that a system is of which nothing was trained.
Claim = Literal["n_labels", "labelled_set", "adapter", "system"]
Systems = Literal["all", "tuned"]


@dataclass(frozen=True)
class AdapterClaim:
    """What can be said of one adapter: documents are the only sampling.

    Attributes:
        draw: the lowest draw number, fixed before the test set was seen; the best draw *on test*
            would look better than it is.
        score: its score.
        diff: score − the reference's.
        diff_lower: one-sided 1 − alpha bound; Tango's for accuracy, else by bootstrap.
        p_adjusted: of the claim on adapters, adjusted over all cells.
        non_inferior: whether ``p_adjusted`` is at most alpha. Where a cell has several draws, the
            verdict rests on the claim on labels instead.
    """

    draw: int
    score: float
    diff: float
    diff_lower: float
    p_adjusted: float | None
    non_inferior: bool


@dataclass(frozen=True)
class CellResult:
    """One candidate model at one training size.

    ``diff_lower``, ``p_value``, ``p_adjusted`` and ``non_inferior`` are about the claim that *this
    many labels are enough*, over documents and draws. They are ``None`` with one draw, and
    ``reason`` says so; ``adapter`` holds what can be claimed. ``draws_below`` counts the draws
    below reference − margin, and ``new_draw`` is the lower bound on the chance that a new one is
    not.
    """

    model: str
    params: int | None
    train_size: int
    labels_used: int
    draws: int
    trial: dict[str, Any] | None
    score: float
    ci: tuple[float, float]
    diff: float
    diff_lower: float | None
    p_value: float | None
    p_adjusted: float | None
    non_inferior: bool | None
    adapter: AdapterClaim
    claim: Claim
    draws_below: int
    new_draw: float
    reason: str | None


@dataclass(frozen=True)
class ArmResult:
    """Any arm at one model and size, the reference and the candidates included.

    ``diff_lower`` is not corrected for the number of arms; ``p_adjusted`` and ``non_inferior`` are.
    They and ``claim`` are ``None`` where a system is descriptive: the reference, the majority, and
    with ``systems: tuned`` all but the candidates. ``parse_failures`` is the share of predictions
    that could not be parsed, over all draws; they count as wrong.
    """

    arm: str
    model: str | None
    train_size: int | None
    draws: int
    score: float
    ci: tuple[float, float]
    diff: float
    diff_lower: float
    parse_failures: float
    claim: Claim | None
    p_adjusted: float | None
    non_inferior: bool | None


@dataclass(frozen=True)
class ReferenceResult:
    """What the candidates are compared with."""

    arm: str
    model: str | None
    params: int | None
    train_size: int | None
    draws: int
    score: float
    ci: tuple[float, float]


@dataclass(frozen=True)
class Match:
    """A system that matches, and the claim it matches by.

    ``claim`` is ``adapter`` where the sweep has one draw: then it is said of the one adapter that
    was tested, and not that so many labels are enough.
    """

    arm: str
    model: str
    params: int | None
    train_size: int
    labels_used: int
    score: float
    diff: float
    diff_lower: float
    p_adjusted: float
    claim: Claim


@dataclass(frozen=True)
class Baseline:
    """A plain arm beside the reference; ``diff`` is the reference's score less its own."""

    arm: str
    model: str | None
    train_size: int | None
    score: float
    diff: float
    diff_lower: float


@dataclass(frozen=True)
class Sensitivity:
    """Whether the reference is worth matching.

    Attributes:
        passed: whether the lower bound of reference − majority exceeds the margin.
        majority: score of the most frequent label of gold, or of no mention at all.
        diff: the reference's score less that.
        diff_lower: its one-sided 1 − alpha bound.
        p_value: of a difference of at most the margin.
        best_plain: the best of rules, dictionary and TF-IDF.
    """

    passed: bool
    majority: float
    diff: float
    diff_lower: float
    p_value: float
    best_plain: Baseline | None


@dataclass(frozen=True)
class CellPower:
    """What the test could see in one cell.

    Attributes:
        model: slug.
        train_size: documents.
        standard_error: of the difference.
        power: chance of a match if the true difference were 0, at the unadjusted alpha.
        documents_needed: for a chance of 80 %; ``None`` when only more draws can help.
    """

    model: str
    train_size: int
    standard_error: float
    power: float
    documents_needed: int | None


@dataclass(frozen=True)
class Power:
    """What the test set can decide.

    Attributes:
        documents: in the test set.
        groups: independent groups of them, ``None`` if each document stands alone.
        required: documents needed at 80 % power by discordance, ``{"0.05": 158, …}``.
        power: chance of the right call with these documents, by discordance.
        cells: what was seen in each cell.
        enough: whether every cell had a chance of 80 %; ``None`` without cells.
        statement: the same in one sentence.
    """

    documents: int
    groups: int | None
    required: dict[str, int]
    power: dict[str, float]
    cells: list[CellPower]
    enough: bool | None
    statement: str


@dataclass(frozen=True)
class Verdict:
    """Which cells are non-inferior to the reference, hence the smallest and the cheapest.

    Attributes:
        name: of the sweep.
        task: ``classification``, ``multilabel`` or ``ner``.
        metric: the score that was compared.
        margin: largest loss that still counts as a match.
        alpha: one-sided family-wise error rate over all cells.
        systems: whether all systems are judged, or the candidates alone.
        reference: what the candidates were compared with.
        sensitivity: whether the reference is worth matching; ``None`` where that was not asked.
        cells: the candidates, by model and size.
        arms: every arm.
        simplest: the simplest matching system: by kind, parameters, labels.
        smallest: the matching cell of the smallest model, then with the fewest labels.
        fewest_labels: the matching cell with the fewest labels, then of the smallest model.
        reason: why one of the two is missing, or what else limits the verdict.
        power: what the test set can decide.
        curves: a learning curve a candidate model.
        test_set: digest of the test documents' ids and gold.
        provenance: handed through.
    """

    name: str | None
    task: str
    metric: str
    margin: float
    alpha: float
    systems: Systems
    reference: ReferenceResult
    sensitivity: Sensitivity | None
    cells: list[CellResult]
    arms: list[ArmResult]
    simplest: Match | None
    smallest: Match | None
    fewest_labels: Match | None
    reason: str | None
    power: Power
    curves: list[Curve]
    test_set: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The content of ``verdict.json``: only lists, dicts, strings, numbers and ``None``."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
