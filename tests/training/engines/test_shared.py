"""Many adapters on one base learn what each would learn alone, whoever comes and goes."""

import gc
import math
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from peft import PeftModel
from torch import Tensor, nn

from medsweep.models.load import Base
from medsweep.tasks import Task, head_labels
from medsweep.tasks.prediction import Prediction
from medsweep.training import make_engine
from medsweep.training.adapter import share_tensors
from medsweep.training.encode import Encoder
from medsweep.training.engines.packed import PackedRow, can_pack
from medsweep.training.engines.shared import SharedEngine
from medsweep.training.engines.solo import SoloEngine
from medsweep.training.engines.train_state import TrainState, score_dev
from medsweep.training.memory import TokenBudget
from medsweep.training.prefix import PrefixCache, pad
from medsweep.training.recipe import Evaluation, Recipe, TrialError
from tests.training.comparison import (
    DEV,
    MIXED,
    STEPS,
    assert_close,
    open_all,
    plain_peft,
    run,
    run_together,
    short,
    train_of,
    weights_of,
)
from tests.training.shapes import CONFIGS, documents, make_base, the_task

SHAPES = [(n, k) for n in CONFIGS for k in ("classification", "ner")]
SHAPES += [("bert", "multilabel"), ("llama", "multilabel")]
# What adds up over steps is the same in all of them; what differs shows in the first.
LONG = [("bert", "classification"), ("llama", "ner")]


@pytest.mark.parametrize(("name", "kind"), SHAPES)
def test_each_slot_equals_plain_peft(name: str, kind: str, tmp_path: Path) -> None:
    base = make_base(name, tmp_path, kind)
    engine = SharedEngine(base, the_task(kind))
    steps = STEPS if (name, kind) in LONG else STEPS // 3
    recipes = {s: replace(r, min_steps=steps) for s, r in MIXED.items()}
    open_all(engine, recipes)
    found = run_together(engine, list(recipes))
    for slot, recipe in recipes.items():
        losses, weights = plain_peft(base, kind, recipe, train_of(slot))
        points = found[slot]
        assert isinstance(points, list), points
        assert points[-1].step == len(losses) >= steps
        begins = [0, *(p.step for p in points)]
        for point, begin in zip(points, begins, strict=False):
            mean = math.fsum(losses[begin : point.step]) / (point.step - begin)
            assert point.train_loss == pytest.approx(mean, abs=1e-8)
        assert_close(weights_of(engine, slot), weights, 1e-8)


class Int8Linear(nn.Linear):
    """What libraries for quantised weights have in place of a linear layer: one that is no matrix.

    Stored by rows as int8 and a scale; nothing but its own forward knows what it computes.
    """

    def __init__(self, plain: nn.Linear) -> None:
        super().__init__(plain.in_features, plain.out_features, plain.bias is not None, "meta")
        scale = plain.weight.detach().abs().amax(1, keepdim=True) / 127
        self.weight = nn.Parameter((plain.weight / scale).round().to(torch.int8), False)
        self.bias = plain.bias
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight.to(x.dtype) * self.scale, self.bias)


def eight_bits(plain: nn.Linear) -> nn.Linear:
    """The layer of bitsandbytes, whose inputs are int8 too."""
    bnb = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed").nn
    size = (plain.in_features, plain.out_features, plain.bias is not None)
    made: nn.Linear = bnb.Linear8bitLt(*size, has_fp16_weights=False)
    made.weight = bnb.Int8Params(plain.weight.detach().float(), requires_grad=False).to("cpu")
    made.bias = plain.bias
    return made


def four_bits(plain: nn.Linear) -> nn.Linear:
    """That with NF4 weights, as on a GPU: on some CPUs it has a way of its own, to infer only."""
    bnb = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed").nn
    size = (plain.in_features, plain.out_features, plain.bias is not None)
    made: Any = bnb.Linear4bit(*size, compute_dtype=torch.float32, quant_type="nf4")
    weight = plain.weight.detach().float()
    made.weight = bnb.Params4bit(weight, requires_grad=False, quant_type="nf4").to("cpu")
    made.bias = plain.bias
    made.support_avx512bf16_for_cpu = False
    return cast(nn.Linear, made)


# Where they compute in less than the base's precision, rounding moves what is learnt.
QUANTISED = {"int8": (Int8Linear, 1e-8), "bnb-8": (eight_bits, 1e-6), "bnb-4": (four_bits, 1e-4)}


@pytest.mark.parametrize("name", ["bert", "llama"])
@pytest.mark.parametrize("kind", QUANTISED)
def test_quantised_layers_are_adapted_as_peft_adapts_them(
    kind: str, name: str, tmp_path: Path
) -> None:
    quantised, within = QUANTISED[kind]
    base = make_base(name, tmp_path, "classification")
    stack = base.model.get_submodule(base.targets.stack)
    linears = {n: m for n, m in stack.named_modules() if isinstance(m, nn.Linear)}
    for place, plain in linears.items():
        stack.set_submodule(place, quantised(plain).eval())
    base.model.is_loaded_in_8bit, base.model.is_loaded_in_4bit = kind == "bnb-8", kind == "bnb-4"
    assert can_pack(base)
    engine = SharedEngine(base, the_task("classification"))
    recipes = {s: short(r) for s, r in MIXED.items()}
    open_all(engine, recipes)
    run_together(engine, list(recipes))
    for slot, recipe in recipes.items():
        _, weights = plain_peft(base, "classification", recipe, train_of(slot))
        assert_close(weights_of(engine, slot), weights, within)


def test_copies_share_what_bitsandbytes_keeps_beside_a_weight(tmp_path: Path) -> None:
    """Its 8-bit layers move their weights there in their first pass, whoever's that is."""
    base = make_base("bert", tmp_path, "classification")
    stack = base.model.get_submodule(base.targets.stack)
    for place, plain in [(n, m) for n, m in stack.named_modules() if isinstance(m, nn.Linear)]:
        stack.set_submodule(place, eight_bits(plain).eval())
    task = the_task("classification")
    windows = Encoder(base.tokenizer, task, head_labels(task), base.longest).encode(DEV, 32)
    before = share_tensors(base.model)
    with torch.no_grad():
        wanted = base.model(**pad(windows, base)).logits
        for copied in (before, share_tensors(base.model)):
            assert torch.equal(copied(**pad(windows, base)).logits, wanted)
            place = f"{base.targets.stack}.0.{base.targets.linears[0]}"
            pair: list[Any] = [m.get_submodule(place) for m in (copied, base.model)]
            assert pair[0].state.CB.data_ptr() == pair[1].weight.data_ptr()


def alone(base: Base, slot: str, recipe: Recipe, kind: str = "classification") -> SharedEngine:
    engine = SharedEngine(base, the_task(kind))
    engine.attach(slot, recipe, train_of(slot), DEV)
    return engine


@pytest.fixture
def bert(tmp_path: Path) -> Base:
    return make_base("bert", tmp_path / "bert", "classification")


@pytest.fixture
def task() -> Task:
    return the_task("classification")


def test_with_dropout_a_slot_equals_itself_alone(bert: Base, task: Task) -> None:
    recipes = {s: short(r, dropout=0.3) for s, r in MIXED.items()}
    engine = SharedEngine(bert, task)
    open_all(engine, recipes)
    run_together(engine, list(recipes))
    for slot, recipe in recipes.items():
        single = alone(bert, slot, recipe)
        run(single, slot)
        assert_close(weights_of(engine, slot), weights_of(single, slot), 1e-8)
        still = alone(bert, slot, replace(recipe, dropout=0.0))
        run(still, slot)
        other = weights_of(still, slot)
        assert any((t - other[n]).abs().max() > 1e-4 for n, t in weights_of(single, slot).items())


@pytest.mark.parametrize("name", CONFIGS)
def test_gradient_checkpointing_changes_nothing(name: str, tmp_path: Path) -> None:
    base = make_base(name, tmp_path, "classification")
    dropouts = {"all": 0.3, "top": 0.0, "two": 0.3, "twin": 0.0}
    plain = {s: short(MIXED[s], dropout=d) for s, d in dropouts.items()}
    lean = {s: replace(r, gradient_checkpointing=True) for s, r in plain.items()}
    engines = [SharedEngine(base, the_task("classification")) for _ in range(2)]
    counts, found = [], []
    for engine, recipes in zip(engines, (plain, lean), strict=True):
        open_all(engine, recipes)
        with counted_calls(base) as count:
            found.append(run_together(engine, list(recipes)))
        counts.append(count[0])
    assert counts[1] > 1.2 * counts[0], "nothing was computed again"
    for slot in plain:
        one, other = (f[slot] for f in found)
        assert isinstance(one, list)
        assert isinstance(other, list)
        assert [p.train_loss for p in other] == pytest.approx([p.train_loss for p in one], abs=1e-8)
        assert_close(weights_of(engines[1], slot), weights_of(engines[0], slot), 1e-8)


@contextmanager
def counted_calls(base: Base) -> Iterator[list[int]]:
    """How often a linear layer of the topmost transformer layer computes."""
    stack, count = base.model.get_submodule(base.targets.stack), [0]

    def seen(*_: object) -> None:
        count[0] += 1

    with stack[-1].get_submodule(base.targets.linears[0]).register_forward_hook(seen):
        yield count


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_gradient_checkpointing_changes_nothing_with_plain_peft(
    dropout: float, tmp_path: Path
) -> None:
    base = make_base("bert", tmp_path, "classification", torch.float32)
    recipe, engine = (
        short(MIXED["two"], dropout=dropout),
        SoloEngine(base, the_task("classification")),
    )
    for slot, lean in (("plain", False), ("lean", True)):
        own = replace(recipe, gradient_checkpointing=lean)
        engine.attach(slot, own, train_of("two"), DEV)
        while not engine.advance(slot).done:
            pass
    assert_close(weights_of(engine, "lean"), weights_of(engine, "plain"), 0.0)


@pytest.mark.parametrize("kind", ["classification", "multilabel", "ner"])
def test_in_single_precision_it_equals_the_solo_engine(kind: str, tmp_path: Path) -> None:
    base = make_base("bert", tmp_path, kind, torch.float32)
    recipes = {s: short(r) for s, r in MIXED.items()}
    shared, solo = SharedEngine(base, the_task(kind)), SoloEngine(base, the_task(kind))
    for engine in (shared, solo):
        for slot, recipe in recipes.items():
            engine.attach(slot, recipe, train_of(slot), DEV)
    found = run_together(shared, list(recipes))
    for slot in recipes:
        points = found[slot]
        assert isinstance(points, list)
        for point, wanted in zip(points, [solo.advance(slot) for _ in points], strict=True):
            # bf16 products, where they are native, round by what stands beside them.
            assert point.train_loss == pytest.approx(wanted.train_loss, abs=2e-2)
            assert (point.step, point.epoch, point.tokens, point.done) == (
                wanted.step,
                wanted.epoch,
                wanted.tokens,
                wanted.done,
            )


def test_a_nan_ends_its_own_slot(bert: Base, task: Task) -> None:
    recipes = {s: short(r) for s, r in MIXED.items()}
    engine = SharedEngine(bert, task)
    open_all(engine, recipes)
    with torch.no_grad():
        next(iter(engine._slots["twin"].state.parameters.values())).fill_(math.nan)
    found = run_together(engine, list(recipes))
    assert isinstance(found["twin"], TrialError)
    for slot in recipes.keys() - {"twin"}:
        single = alone(bert, slot, recipes[slot])
        run(single, slot)
        assert_close(weights_of(engine, slot), weights_of(single, slot), 1e-10)


def test_rows_that_raise_end_their_own_slot(bert: Base, task: Task) -> None:
    recipes = {s: short(r) for s, r in MIXED.items()}
    engine = SharedEngine(bert, task)
    open_all(engine, recipes)
    broken = engine._slots["two"].state
    broken.windows[:] = [replace(w, ids=(10_000, *w.ids)) for w in broken.windows]
    found = run_together(engine, list(recipes))
    assert isinstance(found["two"], IndexError)
    for slot in recipes.keys() - {"two"}:
        single = alone(bert, slot, recipes[slot])
        run(single, slot)
        assert_close(weights_of(engine, slot), weights_of(single, slot), 1e-10)


def test_an_optimiser_that_raises_ends_its_own_slot(bert: Base, task: Task) -> None:
    recipes = {s: short(MIXED[s]) for s in ("top", "two")}
    engine = SharedEngine(bert, task)
    open_all(engine, recipes)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    engine._slots["two"].state.optimizer.register_step_pre_hook(full)
    found = run_together(engine, list(recipes))
    assert isinstance(found["two"], torch.OutOfMemoryError)
    assert all(t.grad is None for t in engine._slots["two"].state.parameters.values())
    single = alone(bert, "top", recipes["top"])
    run(single, "top")
    assert_close(weights_of(engine, "top"), weights_of(single, "top"), 1e-10)


def test_an_evaluation_that_raises_ends_its_own_slot(
    bert: Base, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = SharedEngine(bert, task)
    recipes = {s: short(MIXED[s]) for s in ("top", "two")}
    open_all(engine, recipes)
    broken = engine._slots["two"].state

    def full(state: TrainState, *others: Any) -> Evaluation:
        # The best adapter is copied when dev has been scored.
        if state is broken:
            raise torch.OutOfMemoryError
        return score_dev(state, *others)

    monkeypatch.setattr("medsweep.training.engines.shared.score_dev", full)
    found = run_together(engine, list(recipes))
    assert isinstance(found["two"], torch.OutOfMemoryError)
    single = alone(bert, "top", recipes["top"])
    run(single, "top")
    assert_close(weights_of(engine, "top"), weights_of(single, "top"), 1e-10)


def test_slots_come_and_go_while_others_train(bert: Base, task: Task) -> None:
    recipes = {s: short(r, min_steps=60) for s, r in MIXED.items()}
    engine = SharedEngine(bert, task)
    stay = ["all", "top"]
    for slot in [*stay, "two"]:
        engine.attach(slot, recipes[slot], train_of(slot), DEV)
    threads = [threading.Thread(target=run, args=(engine, s)) for s in stay]
    for thread in threads:
        thread.start()
    run(engine, "two", 1)
    engine.detach("two")
    engine.attach("twin", recipes["twin"], train_of("twin"), DEV)
    run(engine, "twin", 1)
    engine.detach("twin")
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive()
    assert sorted(engine._slots) == sorted(stay)
    for slot in stay:
        single = alone(bert, slot, recipes[slot])
        run(single, slot)
        assert_close(weights_of(engine, slot), weights_of(single, slot), 1e-8)


def test_detaching_wakes_whoever_waits(bert: Base, task: Task) -> None:
    engine = alone(bert, "all", short(MIXED["all"], min_steps=100_000, evaluations=1))
    found: dict[str, object] = {}
    thread = threading.Thread(target=lambda: found.update(run_together(engine, ["all"])))
    thread.start()
    while engine._slots["all"].state.progress.step < 3:
        time.sleep(0.01)
    engine.detach("all")
    thread.join(30)
    assert not thread.is_alive()
    assert isinstance(found["all"], TrialError)
    engine.detach("unknown")


def test_a_prefix_is_computed_once_for_all_trials_and_evaluations(
    bert: Base, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Measuring that it is the whole model's reads a few windows more (test_prefix.py).
    monkeypatch.setattr(PrefixCache, "entry", lambda _self, _windows, layer: layer)
    engine, computed = SharedEngine(bert, task), 0
    texts = documents(18, 4)
    draws = {"all": texts[:12], "two": texts[6:], "twin": texts}

    def count(_module: object, args: tuple[Tensor, ...], _out: object) -> None:
        nonlocal computed
        computed += len(args[0])

    with bert.model.get_submodule(bert.targets.stack)[0].register_forward_hook(count):
        for slot, train in draws.items():
            engine.attach(slot, short(MIXED[slot], top_layers=2, max_length=64), train, DEV)
        run_together(engine, ["all", "two"])
        run(engine, "twin")
    assert computed == len(texts) + len(DEV)


@pytest.mark.parametrize("other", [SharedEngine, SoloEngine])
def test_a_state_goes_on_elsewhere(
    other: type[SharedEngine | SoloEngine], tmp_path: Path, task: Task
) -> None:
    base = make_base("bert", tmp_path, "classification", torch.float32)
    recipe = short(MIXED["two"], dropout=0.2 if other is SharedEngine else 0.0)
    straight = alone(base, "two", recipe)
    run(straight, "two")
    first = alone(base, "two", recipe)
    first.advance("two")
    second = other(base, task)
    second.attach("two", recipe, train_of("two"), DEV, first.state("two"))
    last = [second.advance("two"), second.advance("two")][-1]
    assert last.done
    exact = 0.0 if other is SharedEngine else 1e-3
    assert_close(weights_of(second, "two"), weights_of(straight, "two"), exact)
    with pytest.raises(TrialError, match="budget"):
        second.advance("two")


# PEFT asks transformers for a property by its former name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize(("name", "kind"), SHAPES)
def test_a_saved_adapter_gives_the_same_logits_in_peft(
    name: str, kind: str, tmp_path: Path
) -> None:
    base = make_base(name, tmp_path / "base", kind, torch.float32)
    engine = SharedEngine(base, the_task(kind))
    recipes = {s: short(MIXED[s], evaluations=1) for s in ("all", "two")}
    open_all(engine, recipes)
    run_together(engine, list(recipes))
    for slot in recipes:
        engine.save(slot, tmp_path / slot)
        peft = PeftModel.from_pretrained(share_tensors(base.model), tmp_path / slot).eval()
        held = engine._slots[slot]
        windows = held.state.dev_windows
        with torch.no_grad():
            wanted = [peft(**pad([w], base)).logits[0].numpy() for w in windows]
        rows = [PackedRow(held.adapter, 0, w) for w in windows]
        readings = engine._model.read(rows, TokenBudget(64), engine._method.read, exact=True)
        for found, logits in zip(readings, wanted, strict=True):
            np.testing.assert_allclose(found, logits, atol=2e-5)
        assert engine.predict(slot, DEV) == approx_predictions(
            engine._method.decode(DEV, windows, wanted).predictions
        )


@pytest.mark.parametrize("mixed", [False, True])
def test_test_documents_go_through_the_frozen_layers_once(
    mixed: bool, tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medsweep.training.prefix.native_bf16", lambda _device: mixed)
    base = make_base("bert", tmp_path, "classification", torch.float32)
    engine = SharedEngine(base, task)
    open_all(engine, {"two": short(MIXED["two"]), "twin": short(MIXED["two"], seed=9)})
    lowest = base.model.get_submodule(base.targets.stack)[0]
    seen: list[torch.dtype] = []
    asked = documents(6, 77)
    windows = engine._method.encode(asked, 32, for_training=False)

    def look(_module: nn.Module, _args: object, out: Any) -> None:
        seen.append((out if isinstance(out, Tensor) else out[0]).dtype)

    with lowest.register_forward_hook(look):
        engine.predict("two", asked)
        passes_of_one = len(seen)
        engine.predict("twin", asked)
    assert passes_of_one == len(seen) > 0
    assert set(seen) == {torch.float32}
    layer = engine._slots["two"].state.layer
    kept = engine._model._cache.hidden(windows, layer, exact=True)
    with torch.no_grad():
        whole = [
            base.model(**pad([w], base), output_hidden_states=True).hidden_states[layer][0]
            for w in windows
        ]
    for found, wanted in zip(kept, whole, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def approx_predictions(predictions: Sequence[Prediction]) -> list[Prediction]:
    return [
        replace(p, scores=pytest.approx(dict(p.scores), abs=1e-5))  # type: ignore[arg-type]
        for p in predictions
    ]


def test_prediction_uses_the_best_adapter_and_leaves_the_last(bert: Base, task: Task) -> None:
    engine = alone(bert, "all", short(MIXED["all"]))
    engine.advance("all")
    slot = engine._slots["all"]
    first = engine.predict("all", DEV)
    with torch.no_grad():
        for tensor in slot.state.parameters.values():
            tensor.add_(1.0)
    moved = weights_of(engine, "all")
    assert engine.predict("all", DEV) == first
    assert_close(weights_of(engine, "all"), moved, 0.0)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError(),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate"),
    ],
    ids=["accelerator", "python", "cpu"],
)
def test_memory_running_out_is_answered_by_smaller_passes(
    error: Exception, bert: Base, task: Task
) -> None:
    engine, recipes = SharedEngine(bert, task), {s: short(MIXED[s]) for s in ("all", "twin")}
    open_all(engine, recipes)
    engine._budget = TokenBudget(512)
    failed: list[weakref.ref[Tensor]] = []

    def full(_module: object, args: tuple[object, ...], kwargs: dict[str, Tensor]) -> None:
        assert not any(tensor() is not None for tensor in failed), "held while tried again"
        if kwargs["input_ids"].numel() > 128:
            work = torch.zeros(1)
            failed.append(weakref.ref(work))
            raise error

    with bert.model.register_forward_pre_hook(full, with_kwargs=True):
        found = run_together(engine, list(recipes))
        assert len(failed) == 2
        engine._budget = TokenBudget(512)
        predicted = engine.predict("all", documents(20, 5))
    assert len(failed) == 4
    for slot, recipe in recipes.items():
        assert isinstance(found[slot], list), found[slot]
        single = alone(bert, slot, recipe)
        run(single, slot)
        assert_close(weights_of(engine, slot), weights_of(single, slot), 1e-8)
    assert predicted == approx_predictions(engine.predict("all", documents(20, 5)))


def test_the_base_is_left_as_it_was(bert: Base, task: Task) -> None:
    before = {n: t.clone() for n, t in bert.model.state_dict().items()}
    names = [n for n, _ in bert.model.named_modules()]
    engine = SharedEngine(bert, task)
    open_all(engine, {s: short(r) for s, r in MIXED.items()})
    run_together(engine, list(MIXED))
    assert names == [n for n, _ in bert.model.named_modules()]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in bert.model.modules())
    for name, tensor in bert.model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(p.requires_grad for p in bert.model.parameters())


def test_memory_does_not_drift(bert: Base, task: Task) -> None:
    engine = SharedEngine(bert, task)
    recipe = short(MIXED["top"], min_steps=1, evaluations=3)

    def cycles(count: int) -> tuple[int, int]:
        for _ in range(count):
            engine.attach("top", recipe, train_of("top"), DEV)
            engine.advance("top")
            engine.detach("top")
        gc.collect()
        sizes = [t.nbytes for t in gc.get_objects() if issubclass(type(t), Tensor)]
        return len(sizes), sum(sizes)

    after_10 = cycles(10)
    assert cycles(40) == after_10


def test_what_mixes_rows_does_not_pack(bert: Base, task: Task) -> None:
    assert can_pack(bert)
    assert isinstance(make_engine("shared", bert, task), SharedEngine)
    layer = bert.model.bert.encoder.layer[0].intermediate
    plain = layer.forward
    layer.forward = lambda x: plain(x.flatten(0, 1)).view(*x.shape[:2], -1)
    assert not can_pack(bert)
    assert isinstance(make_engine("shared", bert, task), SoloEngine)
