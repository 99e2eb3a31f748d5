"""Limits to what compressed files may unpack to."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib

from medsweep.errors import DataError

# The largest file that is read as a whole.
LARGEST = 2**28
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


def too_large(where: str) -> DataError:
    """The error for a file that no corpus needs."""
    return DataError(
        "larger than a document's file can be",
        where=where,
        fix="check where the file comes from",
    )
