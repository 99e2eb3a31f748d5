from pathlib import Path

from medsweep.models import resolve
from medsweep.models.load import load_base
from medsweep.models.size import shape_of
from medsweep.tasks import make_task


def test_a_shape_is_that_of_the_loaded_model(tiny_bert: Path) -> None:
    folder = resolve(str(tiny_bert))
    base = load_base(folder, make_task("classification", ("a", "b"), "macro_f1"))
    stack = base.model.get_submodule(base.targets.stack)
    shape = shape_of(folder)
    assert shape.layers == base.targets.layers == 2
    assert shape.weights == sum(p.numel() for p in stack.parameters())
    assert sorted(shape.largest) == [32, 64]
    assert shape.width == base.model.config.hidden_size
