"""The files of a folder or a zip one after the other: which of them, and what their documents are
called.

INCEpTION and WebAnno export a folder a document, with a file an annotator:
``annotation/a.txt/admin.tsv``, or ``curation/a.txt/CURATION_USER.tsv``; in a project's export each
file is a zip.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from medsweep.corpus._base import Document, LayerReader, Reader, Reading
from medsweep.corpus._wrappings import ZIP
from medsweep.corpus.readers._layers import Layer, choose_layer, merged
from medsweep.corpus.readers.cas_xmi import TYPE_SYSTEMS
from medsweep.errors import DataError

# The document as it was before anybody annotated it.
_BEFORE = "INITIAL_CAS"
_STAGES = ("annotation", "curation")
# So many characters are hardly the same in two patients' notes.
_LONG = 200
# Files that hold a corpus each, not a document.
_PARTS = re.compile(r"(?:train|dev|devel|development|test|valid|validation|eval)\b.*", re.I)


@dataclass(frozen=True, slots=True)
class _File:
    """A file, and the path of its document without wrappings and endings."""

    path: Path
    name: PurePosixPath

    @property
    def stage(self) -> str | None:
        """``annotation`` or ``curation``, in INCEpTION's folders."""
        folder = self.name.parts[-3] if len(self.name.parts) > 2 else None
        return folder if folder in _STAGES else None

    @property
    def document(self) -> tuple[str, ...]:
        """What the files of one document share."""
        parts = self.name.parts
        return parts if self.stage is None else (*parts[:-3], parts[-2])


def read_files(
    reader: Reader, paths: Sequence[Path], folder: Path, reading: Reading
) -> Iterator[Document]:
    """Stream the documents of files in a folder, or of one file that is ``folder`` itself.

    Of several files of a document the curated one is read, or the one of the annotator that is
    asked for. Where files of several folders have the same name, a document that would be called
    after its file is called after its path: ``a.txt`` where it is alone in its folder, else
    ``folder/file``. Messages then have the path, too.

    Raises:
        DataError: a file cannot be read, or there are several annotators' files of a document.
    """
    files = [_File(path, _name(path, paths, folder)) for path in paths]
    files = (_one_a_document if reader.layered else _of_annotator)(files, reading)
    ids = _ids(files, folder)
    places = {f: _place(f, folder, named=f in ids) for f in files}
    if isinstance(reader, LayerReader):
        where = places[files[0]] if len(files) == 1 else folder.name
        layers = merged(x for f in files for x in _layers(reader, f, places[f], reading))
        reading = replace(reading, choice=choose_layer(layers, reading, where))
    same = _SameTexts()
    for file in files:
        place = places[file]
        for document in _placed(reader, file.path, place, reading):
            renamed = _renamed(document, file, ids)
            if document.id == file.path.stem:
                same.add(file, document, place)
            group = document.group
            if group is None and reader.name == "conll" and len(files) > 1:
                group = _group(file, document)
            yield replace(document, id=renamed, group=group)
    same.check(layered=reader.layered)


def _layers(reader: LayerReader, file: _File, place: str, reading: Reading) -> list[Layer]:
    try:
        return list(reader.layers(file.path, reading))
    except DataError as error:
        raise _moved(error, file.path, place) from None


def _group(file: _File, document: Document) -> str | None:
    """A document's sentences must stay together, where a file is one."""
    whole = document.id == file.path.stem or _PARTS.fullmatch(file.path.stem)
    return None if whole else file.name.as_posix()


def _name(path: Path, paths: Sequence[Path], folder: Path) -> PurePosixPath:
    """The path below the folder, without the endings of zips and of the file.

    A zip within that holds a single file that is read stands for that file.
    """
    if path == folder:
        return PurePosixPath(path.stem)
    relative = path.relative_to(folder)
    parts = relative.with_suffix("").parts
    for parent in list(relative.parents)[:-1]:
        within = sum(p.is_relative_to(folder / parent) for p in paths)
        if parent.suffix.lower() == ZIP and within == 1:
            parts = parent.with_suffix("").parts
    if folder.name in _STAGES:
        parts = (folder.name, *parts)
    if folder.suffix.lower() == ZIP and len(paths) == 1 and len(parts) == 1:
        # CARDIO:DE has a zip a letter with a cas.xmi; a document's export is called after it.
        beside = any((folder / name).is_file() for name in TYPE_SYSTEMS)
        if beside or path.stem == "cas":
            parts = (folder.stem,)
    return PurePosixPath(*(p[: -len(ZIP)] if p.lower().endswith(ZIP) else p for p in parts))


def parts_of(files: Sequence[_File]) -> set[str]:
    """Names of the folders that files lie in."""
    return {part for f in files for part in f.name.parts[:-1]}


def _one_a_document(files: Sequence[_File], reading: Reading) -> list[_File]:
    """The file to read of each document, in formats with a file a document."""
    annotated = [f for f in files if f.name.name != _BEFORE]
    if not annotated:
        return _of_annotator(files, reading)
    if left_out := len(files) - len(annotated):
        reading.changes[f"files {_BEFORE} left out"] += left_out
    places = {_folder_of(f) for f in annotated}
    if lost := len({_folder_of(f) for f in files} - places):
        reading.changes["documents that nobody has annotated left out"] += lost
    by_document = defaultdict[tuple[str, ...], list[_File]](list)
    for file in _of_annotator(annotated, reading):
        by_document[file.document].append(file)
    return [kept for of_one in by_document.values() for kept in _chosen(of_one, reading)]


def _folder_of(file: _File) -> tuple[str, ...]:
    return file.document if file.stage else file.name.parent.parts


def _chosen(files: list[_File], reading: Reading) -> list[_File]:
    """The file to read of those of one document: the annotator's, or the curated."""
    if len(files) < 2 or files[0].stage is None:
        return files
    curated = [f for f in files if f.stage == "curation"]
    if len(curated) == 1:
        reading.changes["files of annotators left out: their document is curated"] += len(files) - 1
        return curated
    names = ", ".join(sorted({f.name.name for f in files}))
    raise DataError(
        f"files of several annotators ({names})",
        where="/".join(files[0].document),
        fix="choose one with --annotator (data: annotator), or export the curation",
    )


def _of_annotator(files: Sequence[_File], reading: Reading) -> list[_File]:
    """Those of the annotator that is asked for: files or folders of that name."""
    name = reading.annotator
    if name is None:
        return list(files)
    kept = [f for f in files if name in f.name.parts]
    if not kept and len(files) > 1:
        names = sorted({f.name.name for f in files if f.stage} or parts_of(files))
        raise DataError(
            f"no file or folder of annotator {name!r}",
            where="annotator",
            fix=f"name one of {', '.join(names[:20])}" if names else "leave it out",
        )
    if left_out := len(files) - len(kept or files):
        reading.changes["files of other annotators left out"] += left_out
    return kept or list(files)


class _SameTexts:
    """Texts that several files have, as those of several annotators do."""

    def __init__(self) -> None:
        self._texts: dict[_File, str] = {}
        self._places: dict[_File, str] = {}

    def add(self, file: _File, document: Document, place: str) -> None:
        """Note the text of a file that is one document."""
        self._texts[file] = " ".join(document.text.split())
        self._places[file] = place

    def check(self, *, layered: bool) -> None:
        """Refuse folders that hold one document several times, or the same documents.

        Raises:
            DataError: names two of the files.
        """
        by_folder = defaultdict[PurePosixPath, list[_File]](list)
        by_rest = defaultdict[PurePosixPath, list[_File]](list)
        for file in self._texts:
            by_folder[file.name.parent].append(file)
            by_rest[PurePosixPath(*file.name.parts[1:])].append(file)
        for folder, files in by_folder.items() if layered else ():
            text = self._texts[files[0]]
            # INCEpTION's folders of documents are called after them: ``a.txt``.
            is_one = "." in folder.name or len(text) >= _LONG
            if len(files) > 1 and is_one and all(self._texts[f] == text for f in files):
                raise self._error(files[0], files[1])
        shared = [fs for fs in by_rest.values() if len(fs) > 1 and len(fs[0].name.parts) > 1]
        alike = [fs for fs in shared if len({self._texts[f] for f in fs}) < len(fs)]
        length = sum(len(self._texts[fs[0]]) for fs in alike)
        if alike and len(alike) == len(shared) and length >= _LONG:
            first = alike[0][0]
            twins = (f for f in alike[0][1:] if self._texts[f] == self._texts[first])
            raise self._error(first, next(twins, alike[0][1]))

    def _error(self, first: _File, second: _File) -> DataError:
        return DataError(
            f"has the text of {self._places[first]}, as files of several annotators have",
            where=self._places[second],
            fix="choose one with --annotator (data: annotator), or name the folder of the curation",
        )


def _ids(files: Sequence[_File], folder: Path) -> dict[_File, str]:
    """Ids of documents that are called after their files, where the names of these will not do.

    None where no two folders have a file of the same name and no zip has another name than its
    file.
    """
    if not any(f.path != folder for f in files):
        return {}
    folders = defaultdict[str, set[PurePosixPath]](set)
    stems = defaultdict[PurePosixPath, set[str]](set)
    for file in files:
        folders[file.name.name].add(file.name.parent)
        stems[file.name.parent].add(file.name.name)
    staged = all(f.stage for f in files)
    if not staged and all(len(having) == 1 for having in folders.values()):
        return {f: f.name.name for f in files if f.name.name != f.path.stem}
    alone = [f for f, inside in stems.items() if len(inside) == 1 and f != PurePosixPath(".")]
    names = [f.name for f in alone]
    ids = {}
    for file in files:
        parent = file.name.parent
        if parent not in alone:
            ids[file] = file.name.as_posix()
        elif names.count(parent.name) > 1:
            ids[file] = parent.as_posix()
        else:
            ids[file] = parent.name
    return ids


def _renamed(document: Document, file: _File, ids: dict[_File, str]) -> str:
    """The id of a document: numbers and names that its file gave it become those of its path."""
    stem = file.path.stem
    if file not in ids:
        return document.id
    if document.id == stem:
        return ids[file]
    numbered = re.fullmatch(re.escape(stem) + r"-(\d+)", document.id)
    return f"{ids[file]}-{numbered[1]}" if numbered else document.id


def _place(file: _File, folder: Path, *, named: bool) -> str:
    """How messages call a file: by its path where its name will not do."""
    if file.path == folder:
        return file.path.name
    path = file.path.relative_to(folder).as_posix()
    if folder.suffix.lower() == ZIP:
        return f"{folder.name}/{path}"
    return path if named or f"{ZIP}/" in path.lower() else file.path.name


def _placed(reader: Reader, file: Path, place: str, reading: Reading) -> Iterator[Document]:
    """The documents, and the reader's errors, with ``place`` for the file's name."""
    misplaced = reading.changes.misplaced
    before = len(misplaced)
    try:
        for document in reader.read(file, reading):
            misplaced[before:] = [_moved(error, file, place) for error in misplaced[before:]]
            before = len(misplaced)
            yield replace(document, source=_path_for_name(document.source, file, place))
    except DataError as error:
        raise _moved(error, file, place) from None


def _moved(error: DataError, file: Path, place: str) -> DataError:
    where = _path_for_name(error.where or "", file, place)
    return DataError(error.problem, where=where, fix=error.fix)


def _path_for_name(where: str, file: Path, place: str) -> str:
    if where.startswith(TYPE_SYSTEMS) and "/" in place:
        return f"{place.rpartition('/')[0]}/{where}"
    return place + where.removeprefix(file.name) if where.startswith(file.name) else where
