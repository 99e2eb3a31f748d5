"""An adapter reloaded from its folder with PEFT alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from medsweep.corpus import Document
from medsweep.export.metadata import AdapterMetadata
from medsweep.tasks.prediction import Prediction


def predict_with_peft(
    adapter: Path,
    metadata: AdapterMetadata,
    documents: Sequence[Document],
    *,
    base: str | None = None,
    trust_remote_code: bool = False,
    begin: Callable[[str], None] = lambda _: None,
) -> list[Prediction]:
    """Predictions of an adapter, without the engine that trained it.

    Args:
        adapter: a plain PEFT folder.
        metadata: what it was trained for.
        documents: in the order of the result.
        base: the base model, where it lies elsewhere than at training.
        trust_remote_code: whether the base may bring its own code.
        begin: is told what is being done, whenever something else begins.

    Raises:
        ModelError: the base cannot be found or loaded.
    """
    begin(f"loading {base or metadata.base} and the adapter")
    from peft import PeftModel

    from medsweep.models import resolve
    from medsweep.models.load import load_base
    from medsweep.models.quiet import quiet_peft
    from medsweep.training.forward import read_windows
    from medsweep.training.methods import make_method

    loaded = load_base(
        resolve(base or metadata.base),
        metadata.task,
        method=metadata.method,
        trust_remote_code=trust_remote_code,
        # Another than training's: what is random, and not in the folder, cannot agree by chance.
        seed=1,
    )
    with quiet_peft():
        model = PeftModel.from_pretrained(loaded.model, str(adapter)).eval()
    method = make_method(loaded, metadata.task)
    begin(f"predicting {len(documents)} documents")
    windows = method.encode(documents, metadata.recipe.max_length, for_training=False)
    readings: list[Any] = read_windows(
        model.get_base_model(),
        loaded,
        windows,
        method.read,
        exact=True,
        by_token=method.by_token,
    )
    return method.decode(documents, windows, readings).predictions
