"""The files of a folder one after the other; where their names repeat, by their paths.

INCEpTION and WebAnno export a folder a document, with a file an annotator:
``annotation/a.txt/admin.tsv``, or ``curation/a.txt/CURATION_USER.tsv``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from medsweep.corpus._base import Document, Reader, Reading
from medsweep.errors import DataError

# The document as it was before anybody annotated it.
_BEFORE = "INITIAL_CAS"


def read_files(
    reader: Reader, files: Sequence[Path], folder: Path, reading: Reading
) -> Iterator[Document]:
    """Stream the documents of files in a folder, or of one file that is ``folder`` itself.

    Where files of several folders have the same name, a document that would be called after its
    file is called after its path: ``a.txt`` where it is alone in its folder, else
    ``folder/file``. Messages then have the path, too.

    Raises:
        DataError: a file cannot be read, or there are several annotators' files of a document.
    """
    files = _annotated(files, reading)
    ids = _ids(files, folder)
    seen: dict[tuple[str, str], str] = {}
    for file in files:
        if file not in ids:
            yield from reader.read(file, reading)
            continue
        place = file.relative_to(folder).as_posix()
        for document in _placed(reader.read(file, reading), file, place):
            if document.id != file.stem:
                yield document
                continue
            key = (file.parent.name, document.text)
            if key in seen:
                raise DataError(
                    f"has the text of {seen[key]}, as files of several annotators have",
                    where=place,
                    fix="export the curation and name its folder, or put one annotator's files "
                    "into a folder of their own",
                )
            seen[key] = place
            yield replace(document, id=ids[file])


def _annotated(files: Sequence[Path], reading: Reading) -> Sequence[Path]:
    """Without those from before annotation that have another file beside them."""
    done = {f.parent for f in files if f.stem != _BEFORE}
    kept = [f for f in files if f.stem != _BEFORE or f.parent not in done]
    if len(kept) < len(files):
        reading.changes[f"files {_BEFORE} left out"] += len(files) - len(kept)
    return kept


def _ids(files: Sequence[Path], folder: Path) -> dict[Path, str]:
    """Ids by file; none where no two folders have a file of the same name."""
    folders, stems = defaultdict[str, set[Path]](set), defaultdict[Path, set[str]](set)
    for file in files:
        folders[file.stem].add(file.parent)
        stems[file.parent].add(file.stem)
    if all(len(having) == 1 for having in folders.values()):
        return {}
    alone = [f for f, inside in stems.items() if len(inside) == 1 and f != folder]
    names = [f.name for f in alone]
    ids = {}
    for file in files:
        path = file.relative_to(folder)
        if file.parent not in alone:
            ids[file] = path.with_name(file.stem).as_posix()
        elif names.count(file.parent.name) > 1:
            ids[file] = path.parent.as_posix()
        else:
            ids[file] = file.parent.name
    return ids


def _placed(documents: Iterator[Document], file: Path, place: str) -> Iterator[Document]:
    """The documents, and the reader's errors, with ``place`` for the file's name."""
    try:
        for document in documents:
            yield replace(document, source=_path_for_name(document.source, file, place))
    except DataError as error:
        where = _path_for_name(error.where or "", file, place)
        raise DataError(error.problem, where=where, fix=error.fix) from None


def _path_for_name(where: str, file: Path, place: str) -> str:
    return place + where.removeprefix(file.name) if where.startswith(file.name) else where
