"""Documents from a file or folder, checked as a whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from medsweep.corpus._base import MAX_MISPLACED, Changes, Columns, Document, Kind, Reader, Reading
from medsweep.corpus._files import read_files
from medsweep.corpus._wrappings import unwrapped
from medsweep.corpus.readers import ALIKE, READERS, WHOLE, infer, infer_folder, known, reader_named
from medsweep.corpus.readers._anchor import is_torn
from medsweep.corpus.readers._beside import is_beside
from medsweep.corpus.readers._spans import tidy
from medsweep.corpus.readers.hf import is_hub_id
from medsweep.errors import DataError

TORN = "mentions that cut words behind characters beyond U+FFFF: offsets in UTF-16 units?"
_WIDE = re.compile("[\U00010000-\U0010ffff]")
_UNSEEN = re.compile("[\u200b-\u200d\u2060\ufeff\u00ad]")
_HALVES = re.compile("[\ud800-\udfff]")
OTHER_PARTS = "documents of other splits left out"
UNUSED_PARTS = "documents whose split is not used: `part` under data reads one of them"
_PARTS = {
    "train": ("train", "training"),
    "dev": ("dev", "devel", "development", "val", "valid", "validation"),
    "test": ("test", "testing", "eval", "evaluation"),
}
ALIKE_NAMES = "classes that differ in capital letters alone"
JOINED_NAMES = "classes whose names are those of others in one: several labels go under labels"
# INCEpTION's project export: the annotations, beside sources and settings.
_PROJECT, _ANNOTATIONS = "exportedproject.json", ("annotation", "curation")


def read_documents(
    path: Path | str,
    *,
    kind: Kind,
    unlabelled: bool = False,
    attributes: Collection[str] = (),
    changes: Counter[str] | None = None,
    **how: Any,
) -> list[Document]:
    """The documents of a file or folder, each with the gold of its task.

    Args:
        path: a file, or a folder whose files of one format are read in order of their names.
        kind: the task; says which gold a document must have.
        unlabelled: accept documents without gold, as for prediction; of several layers none has
            to be named, and then none is read.
        attributes: fields of mentions that are asked for; the others are left out.
        changes: collects what was dropped, joined or moved, by kind.
        how: how the corpus is to be read, as :func:`scan` takes it.

    Raises:
        DataError: anything that is wrong, with its place and never with text.
    """
    documents = list(
        scan(path, unlabelled=unlabelled, changes=changes, attributes=attributes, **how)
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
    annotator: str | None = None,
    encoding: str | None = None,
    part: str | None = None,
    max_misplaced: float = MAX_MISPLACED,
    unlabelled: bool = False,
    changes: Counter[str] | None = None,
    attributes: Collection[str] | None = None,
) -> Iterator[Document]:
    """Stream documents, checked but for their gold.

    Args:
        path: a file, or a folder whose files of one format are read in order of their names;
            zips, gz, bz2 and xz are read as what they hold.
        format: name of the format; inferred where None.
        columns: names of columns or keys, where they differ from medsweep's.
        layer: annotation layer, for formats that have layers.
        annotator: whose annotations to read, where documents have several people's.
        encoding: of text files; where None UTF-8, or what a file says or shows to be.
        part: only documents whose split is this one; ``dev`` and ``validation`` are one.
        max_misplaced: the largest share of mentions that may be left out because their text is
            not at their place.
        unlabelled: no layer need be chosen where none is named.
        changes: collects what was dropped, joined or moved, by kind; a ``Changes`` says which
            format was read, and which mentions were left out.
        attributes: fields of mentions that are asked for; all where None.

    Raises:
        DataError: anything that is wrong, with its place and never with text.
    """
    path = Path(path)
    counted = changes if isinstance(changes, Changes) else Changes()
    reading = Reading(columns or Columns(), layer, unlabelled, annotator, encoding, counted)
    told, names = Counter[str](), set[str]()
    try:
        read = _of_part(_read(path, format, reading, attributes), part, path, counted)
        for document in _checked(read, path):
            counted.mentions += len(document.spans or ())
            names.update(_names(document))
            if torn := _torn(document):
                counted[TORN] += torn
            _tell(changes, counted, told)
            yield document
        counted.update(_alike(names))
        counted.check_misplaced(max_misplaced)
    except OSError as error:
        # The file that failed may be one of a folder's; its name is in the error.
        name = Path(error.filename).name if error.filename else str(path)
        raise DataError(
            f"cannot be read: {error.strerror or type(error).__name__}", where=name
        ) from None
    finally:
        _tell(changes, counted, told)


def _of_part(
    documents: Iterable[Document], part: str | None, path: Path, changes: Changes
) -> Iterator[Document]:
    """The documents of one part of a divided corpus; all where none is asked for."""
    wanted, splits = part_of(part or ""), Counter[str]()
    for document in documents:
        splits[part_of(document.split or "")] += 1
        if part is None or part_of(document.split or "") == wanted:
            yield document
    if part is not None and not splits[wanted]:
        known = ", ".join(sorted(filter(None, splits)))
        raise DataError(
            f"no document of split {part!r}",
            where=str(path),
            fix=f"name one of {known}" if known else "name the column: columns: {split: NAME}",
        )
    if part is not None and (others := splits.total() - splits[wanted]):
        changes[OTHER_PARTS] += others
    elif len(splits) > 1 and "test" in splits:
        changes[UNUSED_PARTS] += splits.total() - splits[""]


def part_of(split: str) -> str:
    """``train``, ``dev`` or ``test`` for the usual names of these, else the split's own name."""
    name = split.casefold()
    return next((usual for usual, names in _PARTS.items() if name in names), name)


def _torn(document: Document) -> int:
    """Mentions that begin or end within a word, behind a character that UTF-16 counts twice."""
    wide = _WIDE.search(document.text) if document.spans else None
    if wide is None:
        return 0
    behind = [s for s in document.spans or () if s.end > wide.start()]
    return sum(is_torn(document.text, (s.start, s.end)) for s in behind)


def _names(document: Document) -> Iterator[str]:
    if document.label is not None:
        yield document.label
    yield from document.labels or ()
    yield from {s.type for s in document.spans or ()}


def _alike(names: Collection[str]) -> Counter[str]:
    """What may be one class under two names, or several under one; a note, for it need not be."""
    folded = Counter(name.casefold() for name in names)
    parts = {n: [p.strip() for p in re.split(r"[,;|/+]", n)] for n in names}
    joined = [n for n, ps in parts.items() if len(ps) > 1 and all(p in names for p in ps)]
    alike = sum(n for n in folded.values() if n > 1)
    return Counter({ALIKE_NAMES: alike, JOINED_NAMES: len(joined)}) + Counter()


def _tell(changes: Counter[str] | None, counted: Changes, told: Counter[str]) -> None:
    """Bring a plain counter up to what was counted."""
    if changes is not None and changes is not counted:
        changes.update(Counter(counted) - told)
        told.update(Counter(counted) - told)


def _read(
    path: Path, format: str | None, reading: Reading, attributes: Collection[str] | None
) -> Iterator[Document]:
    if not path.exists() and not (format == "hf" and is_hub_id(path)):
        raise missing_file(path)
    with unwrapped(path) as plain:
        reader, files = _resolved(plain, path, format, reading)
        if reading.layer is not None and not reader.layered:
            raise DataError(
                f"format {reader.name} has no layers", where=str(path), fix="leave layer out"
            )
        reading.changes.format, reading.changes.files = reader.name, len(files)
        if plain not in files:
            _count_passed_over(plain, reader, files, reading.changes)
        for document in read_files(reader, files, plain, reading):
            tidied = tidy(document, reading.changes)
            yield (tidied if attributes is None else _with(attributes, tidied, reading.changes))


def missing_file(path: Path) -> DataError:
    """That there is no such file, and what is called nearly so."""
    import difflib

    folder = path.parent
    names = [f.name for f in folder.iterdir()] if folder.is_dir() else []
    near = difflib.get_close_matches(path.name, names, 3, 0.6)
    return DataError(
        "no such file or folder",
        where=str(path),
        fix=f"there is {' and '.join(near)}" if near else None,
    )


def _resolved(
    plain: Path, path: Path, format: str | None, reading: Reading
) -> tuple[Reader, tuple[Path, ...]]:
    """The reader for a file or folder, and the files that it is to read."""
    named = reader_named(format) if format is not None else None
    if named is READERS["hf"] and not plain.exists():
        return named, (plain,)
    whole = infer_folder(plain) if plain.is_dir() else None
    if plain.is_dir() and (named is None or named.name not in WHOLE):
        # Files that tell their format come before a folder that only looks like one.
        if whole is not None and named is None and whole.name != "txt-classes":
            return whole, (plain,)
        return _files_in(plain, path, named, whole, reading)
    reader = named or infer(plain, reading)
    if reader is None:
        raise DataError(
            "the format cannot be told from the file",
            where=str(path),
            fix=f"name it with format: one of {known()}",
        )
    return reader, (plain,)


def _files_in(
    folder: Path, path: Path, named: Reader | None, whole: Reader | None, reading: Reading
) -> tuple[Reader, tuple[Path, ...]]:
    """Files of one format; what else lies in a folder (a licence, a README) is passed over."""
    readers = {f: _reader_of(f, named, reading) for f in _corpus_files(folder)}
    formats = {r.name: r for r in readers.values() if r is not None}
    if not formats and whole is not None and named is None:
        return whole, (folder,)
    if not formats:
        raise DataError(
            f"no file of {'format ' + named.name if named else 'a known format'} in it",
            where=str(path),
            fix="name a file, and its format" if named else f"name the format: one of {known()}",
        )
    if len(formats) > 1:
        raise DataError(
            f"files of several formats ({', '.join(sorted(formats))}) in it",
            where=str(path),
            fix="name one of them with format",
        )
    (reader,) = formats.values()
    return reader, tuple(f for f, r in readers.items() if r is reader)


def _reader_of(file: Path, named: Reader | None, reading: Reading) -> Reader | None:
    """The reader of one file among others; None where it is to be passed over."""
    if named is not None and file.suffix.lower() == ".txt":
        # Prose may look like anything.
        return named if ".txt" in named.shared_suffixes else None
    try:
        inferred = infer(file, reading)
    except DataError:
        inferred = None  # a broken file of a shared ending; its reader says so if it is named
    if named is None or inferred is named:
        return inferred
    if file.suffix.lower() not in named.shared_suffixes:
        return None
    # Of formats that are alike but for what is in them the one that is named reads them all.
    alike = isinstance(named, type(inferred)) or (named.name, inferred and inferred.name) in ALIKE
    return named if inferred is None or alike else None


def _corpus_files(folder: Path) -> list[Path]:
    """The files of a folder in order, without hidden ones and those that lie beside a corpus."""
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    below = [(f, f.relative_to(folder).parts) for f in files]
    projects = {f.parent for f in files if f.name == _PROJECT}
    return [
        f
        for f, parts in below
        if not any(p.startswith(".") for p in parts)
        and not is_beside(f.name)
        and not any(
            f.is_relative_to(p) and f.relative_to(p).parts[0] not in _ANNOTATIONS for p in projects
        )
    ]


def _count_passed_over(
    folder: Path, reader: Reader, files: Collection[Path], changes: Changes
) -> None:
    """Count the files of a folder that are not read, by their endings."""
    read, stems = set(files), {f.stem for f in files}
    for file in _corpus_files(folder):
        suffix = file.suffix.lower()
        # What is called like a file that is read may belong to it.
        belongs = suffix in (".txt", ".a2", ".ast", ".rel") and file.stem in stems
        if file in read or (belongs and suffix not in reader.suffixes):
            continue
        shared = ": name the format to read them" if suffix in reader.shared_suffixes else ""
        changes[f"{suffix or 'other'} files passed over{shared}"] += 1


def _with(attributes: Collection[str], document: Document, changes: Changes) -> Document:
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
    if not _UNSEEN.sub("", document.text).strip():
        raise DataError(
            "the text is empty", where=document.source, fix="take the document out or mend it"
        )
    values = "".join(v for s in document.spans or () for _, v in s.attributes)
    for part, words in (("the text", document.text), ("an attribute", values)):
        if _HALVES.search(words):
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
