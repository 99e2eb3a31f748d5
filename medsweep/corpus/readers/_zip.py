"""Members of a zip, none unpacked beyond what a corpus can hold."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from medsweep.errors import DataError

# Prose deflates to a third or less, not to a hundredth.
LARGEST = 2**28
_LARGEST_RATIO = 100
_MOST_MEMBERS = 1000
# What zipfile raises for damaged files, as fuzzing found.
DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    LookupError,
    RuntimeError,
    ValueError,
)


def members(path: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files in a zip that have one of the endings (lower case).

    Nothing is written, so that no member's name can lead out of a folder.

    Raises:
        DataError: not a zip, encrypted, none of those files in it, or too large unpacked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            wanted = [i for i in archive.infolist() if _is_wanted(i.filename, suffixes)]
            if not wanted:
                raise DataError(f"no {' or '.join(suffixes)} file in the zip", where=path.name)
            _check_sizes(wanted, path.name)
            for info in wanted:
                # The sizes in a zip are claims: never read more than was claimed.
                with archive.open(info) as file:
                    yield _shown(info.filename), file.read(info.file_size)
    except DAMAGES:
        raise DataError(
            "not a readable zip", where=path.name, fix="unpack it and name a file in it"
        ) from None


def _is_wanted(name: str, suffixes: tuple[str, ...]) -> bool:
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return path.suffix.lower() in suffixes and not hidden


def _check_sizes(infos: list[zipfile.ZipInfo], where: str) -> None:
    size, packed = sum(i.file_size for i in infos), sum(i.compress_size for i in infos)
    if len(infos) > _MOST_MEMBERS or size > LARGEST or size > _LARGEST_RATIO * packed + 2**20:
        raise too_large(where)
    if any(i.flag_bits & 1 for i in infos):
        raise DataError("the zip is encrypted", where=where, fix="unpack it")


def too_large(where: str) -> DataError:
    """The error for a file, or a zip, that no corpus needs."""
    return DataError(
        "unpacks to more than a corpus of this format can hold",
        where=where,
        fix="check where the file comes from",
    )


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name[-200:])
