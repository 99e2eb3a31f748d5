"""The documents of a sweep, divided into train, dev and test of every fold."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medsweep import corpus
from medsweep.config import SourceConfig, Sweep
from medsweep.corpus import Document
from medsweep.errors import ConfigError, DataError
from medsweep.plan.plan import Fold
from medsweep.prompting.tagging import untaggable

# Of the documents, where one set is held out and the file does not say how many.
HELD_OUT = 0.2


@dataclass(frozen=True, slots=True)
class Division:
    """The documents of one fold; none is on two sides."""

    train: list[Document]
    dev: list[Document]
    test: list[Document]


@dataclass(frozen=True, slots=True)
class Corpus:
    """What a sweep's files hold, without duplicates.

    Attributes:
        train: documents for training, and those that are held out of them.
        dev: of a corpus of its own; None where dev is held out of the training documents.
        test: of a corpus of its own; empty where test, too, is held out, or by folds.
        notes: what was changed on the way, one line each.
    """

    train: list[Document]
    dev: list[Document] | None
    test: list[Document]
    notes: list[str]


def read_corpus(sweep: Sweep) -> Corpus:
    """Read the files of ``data``.

    Raises:
        DataError: a file cannot be read, or a label of the test documents is not trained on.
        ConfigError: an attribute is asked for that no mention has.
    """
    data, notes = sweep.data, list[str]()
    train, test = read_source(data.train, sweep, notes), list[Document]()
    if isinstance(data.test, SourceConfig):
        test = read_source(data.test, sweep, notes)
        corpus.check_labels(train, test)
    train, test, report = corpus.deduplicate(train, test)
    notes += report.lines()
    if sweep.task.kind == "ner":
        notes += _untaggable([*train, *test])
    if not any(d.group for d in train):
        notes.append(
            "no groups: documents are taken as independent; give those of one patient the same "
            "group, or name its column under data.train.columns.group"
        )
    _check_attributes(sweep, train)
    dev = read_source(data.dev, sweep, notes) if isinstance(data.dev, SourceConfig) else None
    return Corpus(train, dev, test, notes)


def divide(sweep: Sweep, read: Corpus) -> list[Division]:
    """One division a fold; a hold-out evaluation has one.

    Raises:
        DataError: documents of one group are on both sides.
    """
    data, kind = sweep.data, sweep.task.kind
    if data.evaluation.kind == "crossval":
        pairs = crossed(sweep, read.train)
    elif isinstance(data.test, SourceConfig):
        pairs = [(read.train, read.test)]
    else:
        amount = HELD_OUT if data.test is None else data.test
        pairs = [corpus.hold_out(read.train, amount, kind=kind, seed=sweep.seed)]
    divisions = []
    for rest, judged in pairs:
        if isinstance(data.dev, SourceConfig):
            learn, dev = corpus.set_apart(rest, read.dev or [], judged)
        else:
            # The ladder and dev share the documents that are not for judging: dev is labels spent.
            learn, dev = corpus.hold_out(rest, data.dev, kind=kind, seed=sweep.seed + 1)
        divisions.append(Division(learn, dev, judged))
    for division in divisions:
        if leaks := corpus.leaking_groups(division.train + division.dev, division.test):
            raise DataError(
                f"{len(leaks)} groups have documents in both train and test",
                where=str(data.train.path),
                fix="put every document of a group on one side",
            )
    return divisions


def crossed(
    sweep: Sweep, documents: Sequence[Document]
) -> list[tuple[list[Document], list[Document]]]:
    """The folds of a cross-validation: each part in turn judges, ``(rest, judged)``.

    Raises:
        DataError: the documents cannot be divided so.
    """
    parts = sweep.data.evaluation.folds
    if parts == "split":
        return _own_folds(documents, sweep.data.train.path)
    return corpus.folds(documents, parts, kind=sweep.task.kind, seed=sweep.seed)


def _own_folds(
    documents: Sequence[Document], where: str
) -> list[tuple[list[Document], list[Document]]]:
    """Each part that the documents' ``split`` makes judges once: ``(rest, judged)``.

    Raises:
        DataError: a document has no split, or there is one part only.
    """
    column = "name its column under data.train.columns.split"
    if missing := sum(d.split is None for d in documents):
        raise DataError(
            f"{missing} of {len(documents)} documents have no split", where=where, fix=column
        )
    parts = sorted({d.split or "" for d in documents})
    if len(parts) < 2:
        raise DataError("all documents are of one split", where=where, fix=column)
    return [
        ([d for d in documents if d.split != part], [d for d in documents if d.split == part])
        for part in parts
    ]


def build_folds(
    sweep: Sweep, divisions: Sequence[Division], labels: Sequence[str]
) -> tuple[tuple[int, ...], tuple[Fold, ...]]:
    """The training sizes, and a fold with its ladder for each division."""
    # Every fold climbs the same sizes, so `all` is what the smallest fold has.
    everything = min(len(division.train) for division in divisions)
    wanted = {everything if size == "all" else size for size in sweep.train_sizes}
    sizes = tuple(sorted(wanted))
    folds = []
    for number, division in enumerate(divisions):
        ladder = corpus.build_ladder(
            division.train,
            sizes,
            sweep.draws,
            kind=sweep.task.kind,
            seed=sweep.seed + 1000 * number,
            labels=labels,
        )
        subsets = {
            (draw, size): tuple(d.id for d in ladder.subset(draw, size))
            for draw in range(sweep.draws)
            for size in ladder.sizes
        }
        test = tuple(d.without_gold() for d in division.test)
        folds.append(Fold(subsets, tuple(division.dev), test, len(division.train)))
    return sizes, tuple(folds)


def digest_of(divisions: Sequence[Division], gold: Callable[[Document], str]) -> str:
    """One hash over ids, texts and gold of all documents in their places."""
    digest = hashlib.sha256()
    for division in divisions:
        for name in ("train", "dev", "test"):
            for document in getattr(division, name):
                for part in (name, document.id, document.text, gold(document)):
                    digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _untaggable(documents: Sequence[Document]) -> list[str]:
    """What no head can find, however well it learns."""
    lost = untaggable(documents)
    total = sum(len(d.spans or ()) for d in documents)
    if not lost:
        return []
    return [
        f"{lost} of {total} mentions cannot be tagged (nested, in pieces, or ending within a "
        "word): heads, probe and tfidf miss them, which models that write may not"
    ]


def read_source(source: SourceConfig, sweep: Sweep, notes: list[str]) -> list[Document]:
    """The documents of one corpus of a sweep; what reading changed is added to ``notes``.

    Raises:
        DataError: it cannot be read.
    """
    changes: Counter[str] = Counter()
    documents: list[Document] = corpus.read_documents(
        Path(source.path),
        kind=sweep.task.kind,
        attributes=sweep.task.attributes,
        format=source.format,
        columns=corpus.Columns(**source.columns.model_dump()),
        layer=source.layer,
        annotator=source.annotator,
        part=source.part,
        encoding=source.encoding,
        max_misplaced=sweep.data.max_misplaced,
        changes=changes,
    )
    notes += [f"{Path(source.path).name}: {n} {what}" for what, n in sorted(changes.items())]
    return documents


def _check_attributes(sweep: Sweep, documents: Sequence[Document]) -> None:
    known = {f for d in documents for s in d.spans or () for f, _ in s.attributes}
    if absent := sorted(set(sweep.task.attributes) - known):
        raise ConfigError(
            f"no mention of the training documents has the attribute {absent[0]!r}",
            where="task.attributes",
            fix="correct its spelling, or leave it out",
        )
