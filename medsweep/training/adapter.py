"""A LoRA adapter as PEFT sees it: made on a shared base, named, written to a folder."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from peft.utils import ModulesToSaveWrapper
from safetensors.torch import save_file
from torch import Tensor, nn

from medsweep.models.load import Base
from medsweep.models.quiet import quiet_peft
from medsweep.tasks import Task
from medsweep.training.methods import make_method
from medsweep.training.recipe import METADATA, Recipe

WEIGHTS = "adapter_model.safetensors"


def lora_config(base: Base, task: Task, recipe: Recipe) -> LoraConfig:
    """The recipe in PEFT's words."""
    from transformers.pytorch_utils import Conv1D

    stack = base.model.get_submodule(base.targets.stack)
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,  # type: ignore[arg-type] # PEFT divides it, nothing more
        lora_dropout=recipe.dropout,
        target_modules=list(base.targets.linears),
        layers_to_transform=base.targets.top(recipe.top_layers),
        layers_pattern=base.targets.pattern,
        modules_to_save=list(base.heads) or None,
        task_type=make_method(base, task).peft_type,
        fan_in_fan_out=any(isinstance(m, Conv1D) for m in stack.modules()),
        base_model_name_or_path=_address(base),
    )


def _address(base: Base) -> str:
    """What PEFT can load: the sweep file's own words unless only medsweep understands them."""
    reference = base.folder.reference
    ours = reference.startswith("package:") or reference.endswith(".gguf")
    return str(base.folder.path) if ours else reference


def fresh_adapter(base: Base, task: Task, recipe: Recipe) -> Any:
    """A new ``PeftModel`` in evaluation mode; its first values depend on base and seed alone.

    Its modules are its own and its frozen tensors are the base's: nothing that is done to it
    reaches the base or another adapter, and it costs no more memory than the adapter.
    """
    return insert_adapter(share_tensors(base.model), base, task, recipe)


def insert_adapter(body: nn.Module, base: Base, task: Task, recipe: Recipe) -> Any:
    """A new adapter in the modules of ``body`` itself: the base's, or a copy of them."""
    with seeded(base.device, recipe.seed), quiet_peft():
        model = get_peft_model(body, lora_config(base, task, recipe))
        for tensor in trainable(model).values():
            # AdamW's small updates would be rounded away in bf16.
            tensor.data = tensor.data.to(torch.promote_types(base.model.dtype, torch.float32))
        _redraw_output(model, make_method(base, task).classes)
    return model.eval()


def remove_adapter(model: Any) -> None:
    """Put the modules that :func:`insert_adapter` was given back to what they were."""
    body = model.get_base_model()
    saved = {n: m for n, m in body.named_modules() if isinstance(m, ModulesToSaveWrapper)}
    model.unload()
    for name, module in saved.items():
        # PEFT would leave the trained head behind.
        body.set_submodule(name, module.original_module)


def share_tensors(model: nn.Module) -> nn.Module:
    """A copy of a model's modules that holds the very same parameters and buffers.

    bitsandbytes keeps scales, and after a layer's first pass its int8 weights, in objects beside
    them. They move there from the parameter: who had an object of its own would not find them.
    """
    shared: list[Any] = [*model.parameters(), *model.buffers()]
    beside = [v for m in model.modules() for v in vars(m).values()]
    shared += [v for v in beside if type(v).__module__.partition(".")[0] == "bitsandbytes"]
    return copy.deepcopy(model, memo={id(v): v for v in shared})


def _redraw_output(model: Any, labels: int) -> None:
    """Draw the last layer by the trial's seed, so that draws differ in all that is random."""
    spread = getattr(model.get_base_model().config, "initializer_range", 0.02)
    for name, module in model.named_modules():
        ours = ".modules_to_save." in f"{name}." and isinstance(module, nn.Linear)
        if ours and module.out_features == labels:
            nn.init.normal_(module.weight, std=spread)


@contextmanager
def seeded(device: torch.device, *seed: int) -> Iterator[None]:
    """Within the body torch draws from ``seed`` alone; behind it nothing has changed."""
    # A step takes 20 bits: a million steps are more than any recipe has.
    number = sum(part << (20 * i) for i, part in enumerate(reversed(seed))) % (1 << 63)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(number)
        yield


def trainable(model: Any) -> dict[str, Tensor]:
    """The trained parameters by the names that an adapter file gives them."""
    return {_saved_name(n): p for n, p in model.named_parameters() if p.requires_grad}


def _saved_name(name: str) -> str:
    return name.replace(".modules_to_save.default.", ".").replace(".default.", ".")


def load_tensors(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Overwrite an adapter's parameters in place."""
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(values[name])


def save_adapter(
    base: Base,
    task: Task,
    recipe: Recipe,
    tensors: Mapping[str, Tensor],
    folder: Path,
    *,
    dev_score: float | None = None,
) -> None:
    """Write a plain PEFT folder, whole or not at all, and beside it what medsweep must know.

    A sweep adds to the metadata which trial it was.
    """
    config = lora_config(base, task, recipe)
    config.inference_mode = True
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    config.save_pretrained(str(part))
    held = {n: t.detach().to("cpu", copy=True).contiguous() for n, t in tensors.items()}
    save_file(held, part / WEIGHTS, metadata={"format": "pt"})
    metadata = {
        "base": base.folder.reference,
        "trial": {"recipe": recipe.to_dict()},
        "labels": list(task.labels),
        "task": task.kind,
        "method": base.method,
        "metric": task.metric,
        "attributes": list(task.attributes),
        "dev_score": dev_score,
    }
    (part / METADATA).write_text(json.dumps(metadata, indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
