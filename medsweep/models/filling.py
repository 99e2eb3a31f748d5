"""A model filled from its folder's files: every tensor of its body comes from them, or none does.

transformers replaces what does not fit by random numbers and says so in its loading report. Here
the report decides: only a new head (and a pooler, which belongs to one) may be random.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers.models.auto.auto_factory import _get_model_class

from medsweep.errors import ModelError
from medsweep.models.resolve import ModelFolder, tensor_shapes

# What wraps a model puts these before its names: DataParallel, torch.compile, Sentence
# Transformers, Lightning, PEFT.
WRAPPERS = frozenset(
    ("0", "module", "_orig_mod", "auto_model", "base_model", "backbone", "encoder", "model")
)

# What transformers raises where a folder is not what its configuration says.
UNLOADABLE = (
    ValueError,
    LookupError,
    OSError,
    ImportError,
    AttributeError,
    TypeError,
    AssertionError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class Filled:
    """A model, and what its files did not fill.

    Attributes:
        model: as transformers built it.
        fresh: names of the parameters that the files do not have, or have in another shape.
        resized: of those, the shapes that the files have, by name.
        prefix: what stood before all names in the files and was taken off; empty as a rule.
    """

    model: Any
    fresh: frozenset[str]
    resized: Mapping[str, tuple[int, ...]]
    prefix: str = ""


def fill_weights(
    architecture: Any,
    folder: ModelFolder,
    config: Any,
    *,
    dtype: torch.dtype = torch.float32,
    trust_remote_code: bool = False,
    new_head: bool = True,
    empty: bool = False,
) -> Filled:
    """Build ``architecture`` by ``config`` and fill it from ``folder``.

    Args:
        architecture: one of transformers' auto classes, or a model's own.
        folder: where the weights lie.
        config: the model's configuration.
        dtype: of the weights.
        trust_remote_code: whether the folder may bring its own code.
        new_head: whether what is outside of the body may be random.
        empty: compare names and shapes only: nothing is read but headers, and the model is on
            the meta device.

    Raises:
        ModelError: the body is not whole in the files.
    """
    built = _built(architecture, config)
    # Code of the folder's own is not built ahead, nor are weights that are packed in fewer bits.
    packed = getattr(config, "quantization_config", None)
    prefix = ""
    if built is not None and not packed:
        filled = _fit(built, folder, config)
        prefix = filled.prefix
        if empty:
            return _checked(filled, folder, new_head)
    model, report = architecture.from_pretrained(
        folder.path,
        config=config,
        dtype=dtype,
        trust_remote_code=trust_remote_code,
        **_reporting(prefix),
    )
    filled = _filled(model, report, prefix)
    if problem := _lost(filled, report):
        raise _refusal(folder, problem)
    return _checked(filled, folder, new_head)


def body_of(model: Any) -> str:
    """What the names of a model's body begin with; empty where it has no head."""
    prefix = str(model.base_model_prefix)
    return f"{prefix}." if prefix and hasattr(model, prefix) else ""


def _built(architecture: Any, config: Any) -> Any:
    """The model's own class, of an auto class; None where the folder brings it."""
    if not hasattr(architecture, "_model_mapping"):
        return architecture
    known = type(config) in architecture._model_mapping
    return _get_model_class(config, architecture._model_mapping) if known else None


def _reporting(prefix: str) -> dict[str, Any]:
    mapping = {"key_mapping": {f"^{re.escape(prefix)}": ""}} if prefix else {}
    return {"output_loading_info": True, "ignore_mismatched_sizes": True, **mapping}


def _fit(built: Any, folder: ModelFolder, config: Any) -> Filled:
    """As the files are named, else without a wrapper's prefix, if then everything fits."""
    shapes = tensor_shapes(folder.path, folder.reference)
    problem = ""
    for prefix in ("", *_prefixes(shapes)):
        model, report = built.from_pretrained(
            None,
            # What is built writes into it.
            config=copy.deepcopy(config),
            state_dict={n: torch.empty(s, device="meta") for n, s in shapes.items()},
            device_map="meta",
            **_reporting(prefix),
        )
        filled = _filled(model, report, prefix)
        lost = _lost(filled, report)
        if not lost:
            return filled
        problem = problem or lost
    raise _refusal(folder, problem)


def _prefixes(names: Iterable[str]) -> list[str]:
    """Beginnings of the names that only a wrapper adds, the shortest first."""
    found: set[str] = set()
    for name in names:
        begin = ""
        for part in itertools.takewhile(WRAPPERS.__contains__, name.split(".")):
            begin += f"{part}."
            found.add(begin)
    return sorted(found, key=lambda p: (len(p), p))


def _filled(model: Any, report: Mapping[str, Any], prefix: str) -> Filled:
    resized = {name: tuple(there) for name, there, _ in report["mismatched_keys"]}
    return Filled(model, frozenset((*report["missing_keys"], *resized)), resized, prefix)


def _lost(filled: Filled, report: Mapping[str, Any]) -> str:
    """What of the body is not in the files, or what of the files the body has no place for."""
    body, own = body_of(filled.model), dict(filled.model.named_parameters(remove_duplicate=False))
    lost = sorted(n for n in filled.fresh if n.startswith(body) and "pooler" not in n.split("."))
    if lost:
        named = ", ".join(
            f"{n} (there {filled.resized[n]}, by config.json {tuple(own[n].shape)})"
            if n in filled.resized
            else n
            for n in lost[:3]
        )
        count = sum(n.startswith(body) for n in own)
        return f"{len(lost)} of its {count} tensors are not in its files: {named}"
    layers = {_unnumbered(n) for n in own if _unnumbered(n) != n}
    left = sorted(
        n for n in report["unexpected_keys"] if layers & {_unnumbered(n), _unnumbered(body + n)}
    )
    if left:
        return f"its files have layers that its config.json has not: {', '.join(left[:3])}"
    return ""


def _unnumbered(name: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", name)


def _refusal(folder: ModelFolder, problem: str) -> ModelError:
    return ModelError(
        f"its weights do not fit its config.json: {problem}",
        where=folder.reference,
        fix="copy the folder again, weights and config.json from one source",
    )


def _checked(filled: Filled, folder: ModelFolder, new_head: bool) -> Filled:
    if not new_head and any(not n.startswith(body_of(filled.model)) for n in filled.fresh):
        raise ModelError(
            "its weights hold no language-model head",
            where=folder.reference,
            fix="use method: head, or a folder that was saved with it",
        )
    return filled
