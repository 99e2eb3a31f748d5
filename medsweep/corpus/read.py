"""Documents from a file or folder, checked as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from medsweep.corpus._base import Columns, Document, Kind, Reader, Reading
from medsweep.corpus._files import read_files
from medsweep.corpus.readers import READERS, infer, known, reader_named
from medsweep.corpus.readers._spans import tidy
from medsweep.corpus.readers.hf import is_hub_id
from medsweep.errors import DataError


def read_documents(
    path: Path | str,
    *,
    kind: Kind,
    format: str | None = None,
    columns: Columns | None = None,
    layer: str | None = None,
    unlabelled: bool = False,
    attributes: Collection[str] = (),
    changes: Counter[str] | None = None,
) -> list[Document]:
    """The documents of a file or folder, each with the gold of its task.

    Args:
        path: a file, or a folder whose files of one format are read in order of their names.
        kind: the task; says which gold a document must have.
        format: name of the format; inferred where None.
        columns: names of columns or keys, where they differ from medsweep's.
        layer: annotation layer, for formats that have layers.
        unlabelled: accept documents without gold, as for prediction; of several layers none has
            to be named, and then none is read.
        attributes: fields of mentions that are asked for; the others are left out.
        changes: collects what was dropped, joined or moved, by kind.

    Raises:
        DataError: anything that is wrong, with its place and never with text.
    """
    documents = list(
        scan(
            path,
            format=format,
            columns=columns,
            layer=layer,
            unlabelled=unlabelled,
            changes=changes,
            attributes=attributes,
        )
    )
    if not unlabelled:
        _check_gold(documents, kind)
    return documents


def scan(
    path: Path | str,
    *,
    format: str | None = None,
    columns: Columns | None = None,
    layer: str | None = None,
    unlabelled: bool = False,
    changes: Counter[str] | None = None,
    attributes: Collection[str] | None = None,
) -> Iterator[Document]:
    """Stream documents, checked but for their gold; see :func:`read_documents`.

    ``changes`` collects what was dropped, joined or moved, by kind. Without ``attributes`` all are
    kept.
    """
    path, columns = Path(path), columns or Columns()
    reading = Reading(columns, layer, unlabelled, Counter() if changes is None else changes)
    try:
        reader, files = resolve_files(path, format, columns)
        if layer is not None and not reader.layered:
            raise DataError(
                f"format {reader.name} has no layers", where=str(path), fix="leave layer out"
            )
        if format is None and path not in files:
            _count_passed_over(path, reader, files, reading.changes)
        read = read_files(reader, files, path, reading)
        tidied = (tidy(document, reading.changes) for document in read)
        for document in _checked(tidied, path):
            yield document if attributes is None else _with(attributes, document, reading.changes)
    except OSError as error:
        # The file that failed may be one of a folder's; its name is in the error.
        raise DataError(
            f"cannot be read: {error.strerror or type(error).__name__}",
            where=str(error.filename or path),
        ) from None


def resolve_files(
    path: Path, format: str | None, columns: Columns
) -> tuple[Reader, tuple[Path, ...]]:
    """The reader for a file or folder, and the files that it is to read."""
    named = reader_named(format) if format is not None else None
    if not path.exists() and not (named is READERS["hf"] and is_hub_id(path)):
        raise DataError("no such file or folder", where=str(path))
    if path.is_dir() and READERS["hf"] not in (named, infer(path, columns)):
        return _files_in(path, named, columns)
    reader = named or infer(path, columns)
    if reader is None:
        raise DataError(
            "the format cannot be told from the file",
            where=str(path),
            fix=f"name it with format: one of {known()}",
        )
    return reader, (path,)


def _files_in(
    folder: Path, named: Reader | None, columns: Columns
) -> tuple[Reader, tuple[Path, ...]]:
    """Files of one format; what else lies in a folder (a licence, a README) is passed over."""
    readers = {f: _reader_of(f, named, columns) for f in _visible(folder)}
    found = {r.name: r for r in readers.values() if r is not None}
    if not found:
        raise DataError(
            f"no file of {'format ' + named.name if named else 'a known format'} in the folder",
            where=str(folder),
            fix="name a file, and its format" if named else f"name the format: one of {known()}",
        )
    if len(found) > 1:
        raise DataError(
            f"files of several formats ({', '.join(sorted(found))}) in the folder",
            where=str(folder),
            fix="name one of them with format",
        )
    (reader,) = found.values()
    return reader, tuple(f for f, r in readers.items() if r is reader)


def _reader_of(file: Path, named: Reader | None, columns: Columns) -> Reader | None:
    """The reader of one file among others; None where it is to be passed over."""
    try:
        inferred = infer(file, columns)
    except DataError:
        inferred = None  # a broken file of a shared ending; its reader says so if it is named
    if named is None or inferred is named:
        return inferred
    shared = inferred is None and file.suffix.lower() in named.shared_suffixes
    return named if shared else None


def _visible(folder: Path) -> list[Path]:
    """The files of a folder in order, but for hidden ones and those in hidden folders."""
    return sorted(
        f
        for f in folder.rglob("*")
        if f.is_file() and not any(p.startswith(".") for p in f.relative_to(folder).parts)
    )


def _count_passed_over(
    folder: Path, reader: Reader, files: Collection[Path], changes: Counter[str]
) -> None:
    """Count what the reader would read were its format named, such as texts without an ``.ann``."""
    read = {f.with_suffix("") for f in files}
    for file in _visible(folder):
        suffix = file.suffix.lower()
        # What lies beside a file that is read may belong to it.
        if suffix in reader.shared_suffixes and file.with_suffix("") not in read:
            changes[f"{suffix} files passed over: name the format to read them"] += 1


def _with(attributes: Collection[str], document: Document, changes: Counter[str]) -> Document:
    """The document without other attributes of its mentions."""
    if not any(s.attributes for s in document.spans or ()):
        return document
    kept = [
        replace(s, attributes=tuple(a for a in s.attributes if a[0] in attributes))
        for s in document.spans or ()
    ]
    pairs = zip(document.spans or (), kept, strict=True)
    if lost := sum(len(a.attributes) - len(b.attributes) for a, b in pairs):
        changes["attributes left out"] += lost
    return tidy(replace(document, spans=tuple(kept)), changes)


def _checked(documents: Iterable[Document], path: Path) -> Iterator[Document]:
    places: dict[str, str] = {}
    for document in documents:
        _check_text(document)
        if document.id in places:
            raise DataError(
                f"id {document.id!r} is taken by {places[document.id]}",
                where=document.source,
                fix="give every document its own id",
            )
        places[document.id] = document.source
        yield document
    if not places:
        raise DataError("no document in it", where=str(path), fix="check the path and the format")


def _check_text(document: Document) -> None:
    if not document.text.strip():
        raise DataError(
            "the text is empty", where=document.source, fix="take the document out or mend it"
        )
    values = "".join(v for s in document.spans or () for _, v in s.attributes)
    for part, words in (("the text", document.text), ("an attribute", values)):
        if any("\ud800" <= c <= "\udfff" for c in words):
            raise DataError(
                f"{part} holds half of a surrogate pair, which no tokenizer reads",
                where=document.source,
                fix="write it as UTF-8 instead of \\u escapes",
            )


def _check_gold(documents: list[Document], kind: Kind) -> None:
    part = {"classification": "label", "multilabel": "labels", "ner": "entities"}[kind]
    gold = {"classification": "label", "multilabel": "labels", "ner": "spans"}[kind]
    missing = [d for d in documents if getattr(d, gold) is None]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(documents)} documents have no {part}, this one first",
            where=missing[0].source,
            fix=f"name the {part}'s column under columns, or the file that holds them, "
            "or take those documents out",
        )
