"""Any number of labels a document, by a head: loss, threshold, and a plain reload."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification

from medsweep.corpus import Document
from medsweep.models.quiet import quiet_peft, quiet_transformers
from medsweep.tasks import make_task
from medsweep.training.encode import Encoder
from medsweep.training.engines.shared import SharedEngine
from medsweep.training.forward import class_weights, targets_in
from medsweep.training.methods import make_method
from medsweep.training.prefix import pad
from medsweep.training.recipe import Recipe
from tests.conftest import WORDS
from tests.documents import multilabel
from tests.training.conftest import BaseOf

TASK = make_task("multilabel", tuple(WORDS), "micro_f1")
RECIPE = Recipe(
    rank=4, alpha=8, learning_rate=1e-2, epochs=8, min_steps=60, evaluations=2, max_length=64
)


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_the_loss_is_that_of_transformers(base_of: BaseOf, kind: str) -> None:
    base = base_of(kind, TASK)
    method = make_method(base, TASK)
    windows = method.encode(multilabel(6, 1), 64, for_training=True)
    applies = torch.tensor([[float(v) for v in w.target] for w in windows])  # type: ignore[union-attr]
    whole = base.model(**pad(windows, base), labels=applies).loss
    weights = class_weights(windows, method.classes, weighted=False)
    parts = [
        method.loss(method.logits(base.model, rows), rows, weights, targets_in(windows))
        for rows in (windows[:2], windows[2:])
    ]
    torch.testing.assert_close(sum(parts), whole)


def test_rare_labels_weigh_more() -> None:
    documents = [Document(str(i), "pain", labels=("a",) * (i < 2) + ("b",)) for i in range(10)]
    windows = [_Window(d, ("a", "b")) for d in documents]
    assert class_weights(windows, 2, weighted=True).tolist() == pytest.approx(
        [(8 / 2) ** 0.5, (1 / 10) ** 0.5]
    )


class _Window:
    def __init__(self, document: Document, labels: tuple[str, ...]) -> None:
        self.target = np.array([n in (document.labels or ()) for n in labels])


def test_labels_are_decided_one_by_one_over_all_windows(base_of: BaseOf) -> None:
    encoder = Encoder(base_of("bert", TASK).tokenizer, TASK, TASK.labels, 64)
    windows = encoder.encode([Document("a", "pain and fever " * 20)], 32)
    assert len(windows) > 1
    logits = [np.array([3.0, -1.0, -900.0], dtype=np.float32) for _ in windows]
    logits[0] = np.array([-2.5, 1.0 * (len(windows) - 1), -900.0], dtype=np.float32)
    (found,) = encoder.decode([Document("a", "")], windows, logits)
    # The second label's mean is 0: a probability of exactly one half.
    assert found.labels == TASK.labels[:2]
    assert list(found.scores) == list(TASK.labels)
    assert found.scores[TASK.labels[2]] == 0


def test_it_learns_and_reloads_with_plain_peft(base_of: BaseOf, tmp_path: Path) -> None:
    base, test = base_of("bert", TASK), multilabel(30, 9)
    engine = SharedEngine(base, TASK)
    engine.attach("a", RECIPE, multilabel(60, 3), multilabel(30, 4))
    engine.advance("a")
    assert engine.advance("a").metrics["micro_f1"] > 0.75
    engine.save("a", tmp_path / "adapter")
    with quiet_transformers(), quiet_peft():
        bare: Any = AutoModelForSequenceClassification.from_pretrained(
            base.folder.path,
            num_labels=len(TASK.labels),
            problem_type="multi_label_classification",
        )
        model = PeftModel.from_pretrained(bare, tmp_path / "adapter").eval()
    for prediction, document in zip(engine.predict("a", test), test, strict=True):
        with torch.no_grad():
            (logits,) = model(**base.tokenizer(document.text, return_tensors="pt")).logits
        wanted = tuple(n for n, x in zip(TASK.labels, logits.tolist(), strict=True) if x >= 0)
        assert prediction.labels == wanted
