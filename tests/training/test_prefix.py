"""A prefix that is not what the whole model computes is not taken."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import DebertaV2Config, FlaubertConfig, LongformerConfig, PretrainedConfig

from medsweep.models.load import Base
from medsweep.training.engines.shared import SharedEngine
from medsweep.training.engines.solo import SoloEngine
from medsweep.training.methods import make_method
from medsweep.training.prefix import PrefixCache
from medsweep.training.recipe import Recipe
from tests.training import shapes
from tests.training.comparison import DEV, run
from tests.training.shapes import documents, the_task

OTHERS: dict[str, PretrainedConfig] = {
    # A layer's result is a pair.
    "deberta": DebertaV2Config(
        **shapes._COMMON, hidden_size=16, intermediate_size=24, num_hidden_layers=3,
        num_attention_heads=2, max_position_embeddings=64, relative_attention=True,
        pos_att_type=["c2p", "p2c"], pooler_hidden_size=16,
    ),
    # Hidden states are padded to a multiple of the window.
    "longformer": LongformerConfig(
        **shapes._COMMON, hidden_size=16, intermediate_size=24, num_hidden_layers=3,
        num_attention_heads=2, max_position_embeddings=66, attention_window=8, sep_token_id=3,
    ),
    # Attention and what follows it stand in two lists.
    "flaubert": FlaubertConfig(
        vocab_size=14, emb_dim=16, n_layers=3, n_heads=2, max_position_embeddings=64, pad_index=0,
        bos_index=2, eos_index=3, unk_index=1,
    ),
}  # fmt: skip
RECIPE = Recipe(rank=4, alpha=8, learning_rate=1e-3, min_steps=4, epochs=1, evaluations=1)


@pytest.fixture(params=[*OTHERS, "bert", "qwen2"])
def made(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, Base]:
    for name, config in OTHERS.items():
        monkeypatch.setitem(shapes.CONFIGS, name, config)
    base = shapes.make_base(request.param, tmp_path, "classification", torch.float32)
    return request.param, base


def test_it_is_entered_where_that_is_the_whole_models_result(made: tuple[str, Base]) -> None:
    name, base = made
    method = make_method(base, the_task("classification"))
    windows = method.encode(documents(9, 1), 32, for_training=True)
    assert len({len(w.ids) for w in windows}) > 2
    cache = PrefixCache(base, None)
    for layer in (1, 2):
        assert cache.entry(windows, layer) == (0 if name in OTHERS else layer)
    assert cache.entry(windows, 0) == 0


@pytest.mark.parametrize("make", [SoloEngine, SharedEngine])
def test_below_full_depth_every_trial_is_that_of_the_whole_model(
    make: Callable[..., SharedEngine], made: tuple[str, Base], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, base = made
    recipe = replace(RECIPE, top_layers=1)

    def points() -> list[float]:
        engine = make(base, the_task("classification"))
        engine.attach("a", recipe, documents(12, 1), DEV)
        point = run(engine, "a")[0]
        return [point.train_loss, *point.metrics.values()]

    found = points()
    monkeypatch.setattr(PrefixCache, "entry", lambda *_: 0)
    assert found == pytest.approx(points(), abs=1e-5)
