"""What a sweep will cost, worked out before anything is trained: tokens, memory, time.

Estimates to plan by, meant to be right within a factor of two. Early stopping, which saves a part
of the search, is not foreseen: they are upper bounds in that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from medsweep.arms import check_arm
from medsweep.arms.zero_shot import WINDOW_TOKENS
from medsweep.config import SearchConfig
from medsweep.corpus import Document
from medsweep.models.lengths import token_counts
from medsweep.models.machine import Machine
from medsweep.models.size import Shape, shape_of
from medsweep.plan.plan import Plan
from medsweep.plan.slots import activation_bytes, adapter_bytes, largest_recipe, slots_of
from medsweep.prompting.prompt import Prompts
from medsweep.prompting.window import OVERLAP
from medsweep.record.trial import Cell
from medsweep.tasks import make_task
from medsweep.training.forward import TOKENS_AT_ONCE
from medsweep.training.optim import total_steps
from medsweep.training.recipe import Recipe

# Of the rate of a matrix product, what a sweep reaches: attention, norms, adapters, padding and
# the processes beside the hosts take the rest, and the more of it the faster the products are. On
# CPUs as the quickstart had it (docs/log.md); on GPUs a guess.
REACHED = {"bf16": 0.2, "fp32": 0.7}
# Operations a second of a product: (shape of the weights, rows, bf16) -> rate of one device.
Rate = Callable[[tuple[int, int], int, bool], float]
# A token that is written takes as long as this many that are read: passes are short and many.
WRITING = 3
# Python with torch, transformers and Ray, before a model is loaded.
PROCESS_BYTES = 700 << 20


@dataclass(frozen=True, slots=True)
class Cost:
    """What one model costs in a sweep.

    Attributes:
        trained_tokens: through forward and backward passes, by search and confirmation.
        dev_tokens: read to score trials.
        test_tokens: read to judge them.
        written_tokens: written for both, where answers are; as many as the right answers have.
        arm_tokens: read by other arms that use the model.
        slots: adapters that one host trains at once.
        memory_bytes: of one host that trains it.
        seconds: on all of this machine's cores or GPUs.
    """

    trained_tokens: int
    dev_tokens: int
    test_tokens: int
    written_tokens: int
    arm_tokens: int
    slots: int
    memory_bytes: int
    seconds: float


def costs(
    plan: Plan, machine: Machine, rate: Rate, begin: Callable[[str], None] = lambda _: None
) -> dict[str, Cost]:
    """By model slug. Tokenises every document once a model.

    Args:
        plan: the sweep.
        machine: that it would run on.
        rate: measures a matrix product there.
        begin: is told which model comes next.

    Raises:
        ModelError: a model's tokenizer or weights cannot be read.
    """
    found = {}
    for name in plan.folders:
        begin(f"counting tokens of {name}, measuring this machine")
        found[name] = _cost(plan, name, machine, rate)
    return found


def assumptions(strategy: str, machine: Machine) -> list[str]:
    """What the numbers rest on."""
    device = "GPUs" if machine.gpus else "cores"
    return [
        *(["no cell is given up"] if strategy == "frontier" else []),
        "no trial is stopped early, and the first of top_layers is the best",
        f"all of this machine's {device} compute, at {REACHED['bf16']:.0%} (bf16; fp32: "
        f"{REACHED['fp32']:.0%}) of the rate of a matrix product, measured now, 2 "
        "operations a token and weight of the layers to read, 4 to train",
        "start-up and waiting take nothing",
    ]


def _cost(plan: Plan, name: str, machine: Machine, rate: Rate) -> Cost:
    work, shape = plan.workload, shape_of(plan.folders[name])
    search = plan.sweep.search_of(work.models[name])
    recipe = largest_recipe(plan, name)
    sizes = _Sizes(plan, name, recipe)
    trained = dev = test = written_dev = written_test = 0
    cells = [c for c in plan.cells if c.model == name]
    for cell in cells:
        fold, draws, trials = work.folds[cell.fold], plan.draws_of(cell), plan.budgets[cell]
        # The confirmation of draw 0 adopts the search's winner.
        trained += trials * sizes.trained(work.train(cell, 0), recipe)
        trained += sum(sizes.trained(work.train(cell, d), recipe) for d in range(1, draws))
        evaluations = (trials + draws - 1) * recipe.evaluations
        dev += evaluations * sizes.read(fold.dev)
        test += draws * sizes.read(fold.test)
        written_dev += evaluations * sizes.written(fold.dev)
        written_test += draws * sizes.written(fold.test)
    arms = _arm_tokens(plan, name, sizes)
    adapted, below = _layers(search, shape)
    # Forwards, backwards through frozen weights, and forwards once more where little is kept.
    each = 6 if recipe.gradient_checkpointing else 4
    operations = adapted * each * trained + 2 * shape.weights * arms
    operations += 2 * below * sizes.read(_learnt_from(plan, cells))
    # What is written needs all layers; what is only read, those from the lowest adapted on.
    by_token = work.methods.get(name) == "generate"
    word = WRITING * (shape.weights + shape.words)
    operations += 2 * (shape.weights if by_token else adapted) * dev + 2 * word * written_dev
    # On CPUs test predictions are in fp32, on GPUs in the base's own precision.
    exact = machine.bf16 and machine.kind == "cuda"
    seconds = operations / _reached(machine, rate, shape.largest, bf16=machine.bf16)
    judging = 2 * (shape.weights * test + word * written_test)
    seconds += judging / _reached(machine, rate, shape.largest, bf16=exact)
    slots = slots_of(plan, machine.gpus or None)
    # While dev is written on a CPU, a copy in bf16 lies beside the weights.
    copied = by_token and machine.bf16 != exact
    weights = plan.folders[name].parameters * (1.5 if copied else 1)
    memory = host_memory(machine, shape, weights, recipe, adapted, slots)
    written = written_dev + written_test
    return Cost(trained, dev, test, written, arms, slots, memory, seconds)


class _Sizes:
    """Windows and tokens of documents, as a model will see them."""

    def __init__(self, plan: Plan, name: str, recipe: Recipe) -> None:
        work, folder = plan.workload, plan.folders[name]
        method = work.methods.get(name, "head")
        task = make_task(work.kind, work.labels, work.metric, work.attributes)
        prompts = Prompts.of(task, names={}, instruction=None, as_json=method == "generate")
        documents = dict(work.documents)
        documents |= {d.id: d for f in work.folds for d in (*f.dev, *f.test)}
        # Test documents come without gold, and are taken to be like the others.
        known = list(work.documents.values()) if method != "head" else []
        texts = [prompts.plain(prompts.messages("")), *(d.text for d in documents.values())]
        texts += [prompts.answer(d, d.text) for d in known]
        longest, (self.question, *counts) = token_counts(texts, folder)
        self.tokens: Mapping[str, int] = dict(zip(documents, counts, strict=False))
        answers = counts[len(documents) :]
        self._answer = sum(answers) / len(answers) if answers else 0.0
        self._length = min(recipe.max_length, longest)
        self._asked = 0 if method == "head" else self.question
        self._writes = method == "generate"

    def windows(self, document: Document) -> int:
        """A document that is too long becomes several overlapping windows."""
        return _windows(self.tokens[document.id], self._length)

    def read(self, documents: Iterable[Document]) -> int:
        """Tokens of ``documents``, read once."""
        return sum(_windowed(self.tokens[d.id], self._length, self._asked) for d in documents)

    def written(self, documents: Iterable[Document]) -> int:
        """Tokens of the answers about ``documents``, where they are written."""
        count = sum(map(self.windows, documents)) if self._writes else 0
        return round(count * self._answer)

    def trained(self, documents: list[Document], recipe: Recipe) -> int:
        """Tokens of one trial on ``documents``."""
        windows = sum(map(self.windows, documents))
        passes = total_steps(recipe, windows) / -(-windows // recipe.batch_size)
        return round(passes * (self.read(documents) + windows * self._answer))


def _learnt_from(plan: Plan, cells: Iterable[Cell]) -> list[Document]:
    """Every document whose frozen lower layers are computed, once."""
    work, found = plan.workload, dict[str, Document]()
    for cell in cells:
        found |= {d.id: d for d in work.folds[cell.fold].dev}
        for draw in range(plan.draws_of(cell)):
            found |= {d.id: d for d in work.train(cell, draw)}
    return list(found.values())


def _layers(search: SearchConfig, shape: Shape) -> tuple[float, float]:
    """Weights of the layers that a trial adapts in the mean, and of all prefixes below them.

    Each depth is tried once, and the others stay with the first: the least that a climb can cost.
    """
    depths = [shape.layers if n == "all" else min(n, shape.layers) for n in search.top_layers]
    below = sum(shape.layers - n for n in set(depths))
    adapted = [*depths[: search.trials], *[depths[0]] * (search.trials - len(depths))]
    one = shape.weights / shape.layers
    return one * sum(adapted) / len(adapted), one * below


def _arm_tokens(plan: Plan, name: str, sizes: _Sizes) -> int:
    """Tokens that other arms read with this model."""
    work, total = plan.workload, 0
    for arm in work.arms:
        if arm.model is None or arm.model.id != work.models[name].id:
            continue
        options = check_arm(arm.arm, work.kind, arm.options)
        if arm.arm == "probe":
            # Its features are computed once a document, in windows.
            total += sum(sizes.tokens.values())
            continue
        times = len(work.sizes) * work.draws if arm.arm == "few_shot" else 1
        examples = getattr(options, "k", 0) * getattr(options, "example_length", 0)
        length = getattr(options, "max_length", None) or WINDOW_TOKENS[work.kind]
        total += times * sum(
            _windowed(sizes.tokens[d.id], length, sizes.question + examples)
            for fold in work.folds
            for d in (
                *fold.test,
                *(fold.dev if arm is work.arms[0] and work.reference_on_dev else ()),
            )
        )
    return total


def _windows(tokens: int, length: int) -> int:
    return 1 + max(0, -(-(tokens - length) // round((1 - OVERLAP) * length)))


def _windowed(tokens: int, length: int, beside: int) -> int:
    """Tokens of the questions about a document's overlapping windows, ``beside`` with each."""
    count = _windows(tokens, length)
    return tokens + (count - 1) * round(OVERLAP * length) + count * beside


def host_memory(
    machine: Machine,
    shape: Shape,
    parameters: float,
    recipe: Recipe,
    adapted_weights: float,
    slots: int,
) -> int:
    """Bytes of a host that trains one model, in passes as long as the device may be given."""
    tokens = min(TOKENS_AT_ONCE[machine.kind], slots * recipe.batch_size * recipe.max_length)
    layers = shape.layers * adapted_weights / shape.weights
    on_cpu = machine.kind == "cpu"
    wide = 1 if machine.bf16 else 2
    return round(
        (PROCESS_BYTES if on_cpu else 0)
        + parameters * (4 if on_cpu else 2)
        + wide * activation_bytes(shape, recipe, layers, tokens)
        + slots * adapter_bytes(shape, recipe, layers)
    )


def _reached(machine: Machine, rate: Rate, matrix: tuple[int, int], *, bf16: bool) -> float:
    """Operations a second that training or reading reaches on all of the machine."""
    share = REACHED["bf16" if bf16 else "fp32"]
    return share * rate(matrix, TOKENS_AT_ONCE[machine.kind], bf16) * machine.devices
