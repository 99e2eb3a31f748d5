"""Zips, gz, bz2 and xz, which are no formats: what they hold is unpacked and read as it is.

Unpacked files lie in a folder that only the user may read, until the corpus was read. A zip
becomes a folder of its name, so that its members' paths tell where they were.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from medsweep.corpus.readers._zip import DAMAGES
from medsweep.errors import DataError

ZIP = ".zip"
_STREAMS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_TARS = (".tar", ".tgz", ".txz")

# Prose deflates to a third or less, not to a hundredth.
LARGEST_RATIO = 100
LARGEST_TOTAL = 2**33
MOST_FILES = 200_000
# A project's export is a zip of zips of documents.
DEEPEST = 3
_CHUNK = 2**20


@dataclass(slots=True)
class _Budget:
    """Bytes and files that may still be written."""

    size: int = LARGEST_TOTAL
    files: int = MOST_FILES


@contextmanager
def unwrapped(path: Path) -> Iterator[Path]:
    """The file or folder without wrappings: itself where there are none.

    Raises:
        DataError: something wrapped is damaged, encrypted, or larger than a corpus can be.
    """
    if not any(map(_is_wrapped, _files(path))):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="medsweep-") as temporary:
        yield _copy(path, Path(temporary).resolve(), _Budget(), 1)


def _files(path: Path) -> Iterator[Path]:
    return path.rglob("*") if path.is_dir() else iter([path])


def _is_wrapped(path: Path) -> bool:
    suffix = path.suffix.lower()
    hidden = path.name.startswith(".")
    return (
        (suffix == ZIP or suffix in _STREAMS or suffix in _TARS) and path.is_file() and not hidden
    )


def _copy(path: Path, into: Path, budget: _Budget, depth: int) -> Path:
    """What is wrapped unpacked into a folder, and links to the rest."""
    if path.is_dir():
        folder = into / path.name
        folder.mkdir()
        for child in sorted(path.iterdir()):
            if not child.name.startswith("."):
                _copy(child, folder, budget, depth)
        return folder
    suffix = path.suffix.lower()
    if not _is_wrapped(path):
        return _linked(path, into)
    if suffix in _TARS or path.with_suffix("").suffix.lower() == ".tar":
        raise DataError("a tar archive", where=path.name, fix="unpack it and name its folder")
    if depth > DEEPEST:
        raise DataError("zips within zips within zips", where=path.name, fix="unpack them")
    if suffix == ZIP:
        return _unzipped(path, into, budget, depth)
    return _decompressed(path, into, budget)


def _linked(path: Path, into: Path) -> Path:
    target = into / path.name
    try:
        target.symlink_to(path.absolute())
    except OSError:
        # Windows asks for a privilege.
        shutil.copyfile(path, target)
    return target


def _decompressed(path: Path, into: Path, budget: _Budget) -> Path:
    target = into / path.stem
    if target.exists() or path.with_suffix("").exists():
        raise DataError(
            f"{path.stem} lies beside it", where=path.name, fix="put one of the two away"
        )
    try:
        with _STREAMS[path.suffix.lower()](path) as source:
            _write(source, target, budget, LARGEST_RATIO * path.stat().st_size, path.name)
    except (OSError, *DAMAGES):
        raise DataError(
            "not a readable compressed file", where=path.name, fix="unpack it and name the file"
        ) from None
    return target


def _unzipped(path: Path, into: Path, budget: _Budget, depth: int) -> Path:
    folder = into / path.name
    folder.mkdir(exist_ok=True)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [i for i in archive.infolist() if _is_kept(i)]
            if not infos:
                raise DataError("no file in the zip", where=path.name)
            _check_sizes(infos, path.name)
            for info in infos:
                target = folder.joinpath(*_safe_parts(info.filename))
                if target.exists():
                    raise DataError("a file twice in the zip", where=path.name, fix="unpack it")
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(info) as source:
                    _write(source, target, budget, info.file_size, path.name)
    except DAMAGES:
        raise DataError(
            "not a readable zip", where=path.name, fix="unpack it and name a file in it"
        ) from None
    for inner in [f for f in sorted(folder.rglob("*")) if _is_wrapped(f)]:
        packed = inner.with_name(inner.name + ".packed")
        inner.rename(packed)
        _unpacked_in_place(packed, inner, budget, depth)
        packed.unlink()
    return folder


def _unpacked_in_place(packed: Path, inner: Path, budget: _Budget, depth: int) -> None:
    with tempfile.TemporaryDirectory(dir=inner.parent, prefix=".") as aside:
        moved = packed.rename(Path(aside) / inner.name)
        try:
            _copy(moved, inner.parent, budget, depth + 1)
        finally:
            moved.rename(packed)


def _is_kept(info: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    return not info.is_dir() and not path.name.startswith(".") and "__MACOSX" not in path.parts


def _safe_parts(name: str) -> list[str]:
    """The parts of a member's name, none of which leads out of a folder."""
    parts = PurePosixPath(name.replace("\\", "/").replace(":", "_")).parts
    kept = [p for p in parts if p not in ("", "/", ".", "..")]
    return ["".join(c if c.isprintable() else "?" for c in p)[-200:] for p in kept] or ["file"]


def _check_sizes(infos: list[zipfile.ZipInfo], where: str) -> None:
    size, packed = sum(i.file_size for i in infos), sum(i.compress_size for i in infos)
    if len(infos) > MOST_FILES:
        raise DataError(f"the zip holds {len(infos)} files", where=where, fix="unpack it")
    if size > LARGEST_TOTAL or size > LARGEST_RATIO * packed + 2**20:
        raise _too_large(where)
    if any(i.flag_bits & 1 for i in infos):
        raise DataError("the zip is encrypted", where=where, fix="unpack it")


def _too_large(where: str) -> DataError:
    return DataError(
        "unpacks to more than a corpus can hold",
        where=where,
        fix="check where the file comes from, or unpack it yourself",
    )


def _write(source: IO[bytes], target: Path, budget: _Budget, most: int, where: str) -> None:
    """Copy what is unpacked: sizes that are claimed need not be true."""
    budget.files -= 1
    most += 2**20
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            budget.size, most = budget.size - len(chunk), most - len(chunk)
            if most < 0 or budget.size < 0 or budget.files < 0:
                raise _too_large(where)
            file.write(chunk)
