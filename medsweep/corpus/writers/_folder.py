"""Formats that are a folder, with files named by the documents' ids."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from medsweep.corpus._base import Document
from medsweep.errors import ConfigError

# A name that is a file's name on every system, whatever the id holds.
_FILE_NAME = re.compile(r"\w[\w.-]{0,99}")


@contextmanager
def new_folder(path: Path, format: str) -> Iterator[Path]:
    """A folder to write into, which becomes ``path`` at the end if all went well.

    Raises:
        ConfigError: there is something in ``path``.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ConfigError(
            f"{format} is written as a folder, and there is something of that name",
            where=str(path),
            fix="name a folder that does not exist",
        )
    part = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        yield part
        part.replace(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def file_names(documents: Sequence[Document], changes: Counter[str]) -> Iterator[str]:
    """A file name a document: its id where that can be one. Some systems know no case."""
    taken = {d.id.casefold() for d in documents}
    used: set[str] = set()
    number = 0
    for document in documents:
        name = document.id
        if not _FILE_NAME.fullmatch(name) or name.casefold() in used:
            changes["ids replaced that cannot be file names"] += 1
            while (name := f"document-{number}") in taken:
                number += 1
            taken.add(name)
        used.add(name.casefold())
        yield name
