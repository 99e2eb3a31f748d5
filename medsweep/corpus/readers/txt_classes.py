"""Folders of texts, a folder a class, as scikit-learn's ``load_files`` reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._beside import is_beside
from medsweep.corpus.readers._fields import as_name
from medsweep.corpus.readers._lines import read_text
from medsweep.errors import DataError


class TxtClasses:
    """Each ``.txt`` in a folder of the folder is a document, whose label is its folder's name."""

    name = "txt-classes"
    suffixes: tuple[str, ...] = ()
    shared_suffixes: tuple[str, ...] = (".txt",)
    layered = False

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of the folder."""
        files = sorted(f for f in path.rglob("*.txt") if not is_beside(f.name))
        if not path.is_dir() or not files:
            raise DataError(
                "no folder with folders of .txt", where=path.name, fix="name the folder above them"
            )
        for file in files:
            folders = file.relative_to(path).parts[:-1]
            where = file.relative_to(path).as_posix()
            if not folders:
                raise DataError(
                    "a text beside the folders of classes", where=where, fix="put it into one"
                )
            yield Document(
                f"{'/'.join(folders)}/{file.stem}",
                read_text(file, reading),
                label=as_name(folders[0], "label", where),
                source=where,
            )


def looks_like_classes(folder: Path) -> bool:
    """Whether a folder holds nothing but folders that hold nothing but texts, two at least."""
    children = [c for c in folder.iterdir() if not is_beside(c.name)]
    return len(children) > 1 and all(c.is_dir() and _holds_texts(c) for c in children)


def _holds_texts(folder: Path) -> bool:
    files = [f for f in folder.iterdir() if not is_beside(f.name)]
    return bool(files) and all(f.suffix.lower() == ".txt" for f in files)
