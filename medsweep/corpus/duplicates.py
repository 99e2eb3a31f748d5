"""Repeated texts, and test documents among the training ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from medsweep.corpus._base import Document
from medsweep.errors import DataError


@dataclass(frozen=True, slots=True)
class Repeats:
    """What was found in one list of documents.

    Attributes:
        joined: documents left out because an earlier one has the same text and gold.
        conflicting_texts: texts that occur with different gold.
        conflicting: documents left out because they have such a text.
    """

    joined: int = 0
    conflicting_texts: int = 0
    conflicting: int = 0


@dataclass(frozen=True, slots=True)
class Deduplication:
    """What :func:`deduplicate` left out. Counts only."""

    train: Repeats
    test: Repeats
    shared: int = 0

    def lines(self) -> list[str]:
        """One sentence for each kind of finding, none where there was nothing."""
        lines = []
        for name, found in (("training", self.train), ("test", self.test)):
            if found.joined:
                lines.append(
                    f"{found.joined} {name} documents left out: same text and gold as another"
                )
            if found.conflicting:
                lines.append(
                    f"{found.conflicting} {name} documents left out: their "
                    f"{found.conflicting_texts} texts occur with different gold"
                )
        if self.shared:
            lines.append(f"{self.shared} training documents left out: their text is a test text")
        return lines


def deduplicate(
    train: Sequence[Document], test: Sequence[Document]
) -> tuple[list[Document], list[Document], Deduplication]:
    """One document a text, and no text on both sides.

    Texts are the same when they differ in white space at most. Of documents with the same gold
    the first is kept, of those with different gold none: there is no telling which is right,
    and keeping one would score a coin toss. A training document with a test text goes.

    Raises:
        DataError: every test text is a training text, or nothing is left.
    """
    learned = {text_key(d) for d in train}
    if test and all(text_key(d) in learned for d in test):
        raise DataError(
            "evaluation on training documents is refused: every test text is a training text",
            where="data.test",
            fix="name documents that are not trained on, or hold out a share (test: 0.3)",
        )
    kept_train, train_repeats = without_repeats(train)
    kept_test, test_repeats = without_repeats(test)
    # Of all test texts: a conflicting one that was left out of the test is no better to learn.
    judged = {text_key(d) for d in test}
    unseen = [d for d in kept_train if text_key(d) not in judged]
    for name, before, after in (("train", train, unseen), ("test", test, kept_test)):
        if before and not after:
            raise DataError(
                f"no document is left after leaving out repeated texts ({len(before)} before)",
                where=f"data.{name}",
                fix="see `medsweep data check`",
            )
    return (
        unseen,
        kept_test,
        Deduplication(train_repeats, test_repeats, len(kept_train) - len(unseen)),
    )


def without_repeats(documents: Iterable[Document]) -> tuple[list[Document], Repeats]:
    """One document a text, and what was left out."""
    by_text: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        by_text[text_key(document)].append(document)
    kept, joined, texts, conflicting = list[Document](), 0, 0, 0
    for same in by_text.values():
        if len(same) > 1 and len({_gold(d) for d in same}) > 1:
            texts, conflicting = texts + 1, conflicting + len(same)
        else:
            kept.append(same[0])
            joined += len(same) - 1
    return kept, Repeats(joined, texts, conflicting)


def set_apart(
    train: Sequence[Document], dev: Sequence[Document], test: Sequence[Document]
) -> tuple[list[Document], list[Document]]:
    """Training and dev documents where dev is a corpus of its own: no text in two of the three.

    A test text is in neither, a dev text not among the training ones. Ids of dev that others have
    begin with ``dev/``.

    Raises:
        DataError: dev has labels that no training document has, a group on both sides, or no
            document of its own.
    """
    unknown, groups = _names(dev) - _names(train), {d.group for d in dev if d.group is not None}
    if unknown:
        raise DataError(
            f"the dev documents have labels that no training document has: "
            f"{', '.join(map(repr, sorted(unknown)[:10]))}",
            where="data.dev",
            fix="correct their spelling, or take them out",
        )
    if both := groups & {d.group for d in (*train, *test)}:
        raise DataError(
            f"{len(both)} groups have documents in dev and elsewhere",
            where="data.dev",
            fix="put every document of a group on one side",
        )
    judged = {text_key(d) for d in test}
    own = [d for d in without_repeats(dev)[0] if text_key(d) not in judged]
    if not own:
        raise DataError(
            "no dev document has a text of its own", where="data.dev", fix="name other documents"
        )
    chosen, taken = {text_key(d) for d in own}, {d.id for d in (*train, *test)}
    learn = [d for d in train if text_key(d) not in chosen]
    return learn, [replace(d, id=f"dev/{d.id}") if d.id in taken else d for d in own]


def text_key(document: Document) -> str:
    """The text with single spaces for white space."""
    return " ".join(document.text.split())


def _gold(document: Document) -> object:
    """Gold that can be compared between texts with different white space."""
    if document.spans is None:
        return document.label, document.labels, None

    def place(offset: int) -> int:
        return len("".join(document.text[:offset].split()))

    return (
        document.label,
        document.labels,
        frozenset(
            (
                s.type,
                s.attributes,
                *((place(a), place(b)) for a, b in s.fragments or ((s.start, s.end),)),
            )
            for s in document.spans
        ),
    )


def check_labels(train: Iterable[Document], test: Iterable[Document]) -> None:
    """Refuse test documents whose label or entity types no training document has.

    Raises:
        DataError: names them.
    """
    unknown = sorted(_names(test) - _names(train))
    if unknown:
        more = f" and {len(unknown) - 10} others" if len(unknown) > 10 else ""
        raise DataError(
            f"the test documents have labels that no training document has: "
            f"{', '.join(map(repr, unknown[:10]))}{more}",
            where="data.test",
            fix="correct their spelling, add training documents of them, or take them out",
        )


def _names(documents: Iterable[Document]) -> set[str]:
    names = set[str]()
    for document in documents:
        names.update(s.type for s in document.spans or ())
        names.update(document.labels or ())
        if document.label is not None:
            names.add(document.label)
    return names
