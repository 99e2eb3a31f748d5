"""Near duplicates between the parts of a division: told, left out, or refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from medsweep.corpus import Document
from medsweep.corpus.duplicates import text_key
from medsweep.corpus.near_duplicates import near_duplicates
from medsweep.errors import DataError
from medsweep.plan.division import Division

Action = Literal["note", "drop", "refuse"]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many documents of one part are nearly one of another. Counts only.

    Attributes:
        tested, test: test documents that are nearly a training or dev document, and all of them.
        train_test, dev_test: training and dev documents that are nearly a test document.
        train_dev: further training documents that are nearly a dev document.
    """

    tested: int = 0
    test: int = 0
    train_test: int = 0
    dev_test: int = 0
    train_dev: int = 0

    def __add__(self, other: Overlap) -> Overlap:
        return Overlap(
            self.tested + other.tested,
            self.test + other.test,
            self.train_test + other.train_test,
            self.dev_test + other.dev_test,
            self.train_dev + other.train_dev,
        )


def without_overlap(
    divisions: Sequence[Division], action: Action
) -> tuple[list[Division], list[str]]:
    """The divisions, with ``drop`` without near duplicates over their parts; and notes.

    What is left out is left out of training, or of dev where it is nearly a test document: test
    documents are never touched. Counts are those of all folds together.

    Raises:
        DataError: there are some and ``action`` is ``refuse``, or nothing would be left.
    """
    total, parted = Overlap(), list[Division]()
    for division in divisions:
        rest, overlap = _part(division)
        total += overlap
        parted.append(rest)
    found = list(_counts(total))
    if not found:
        return list(divisions), []
    if action == "refuse":
        raise DataError(
            "; ".join(found),
            where="data.near_duplicates",
            fix="leave them out (drop), or say `note`; `medsweep data check` names them",
        )
    if action == "note":
        fix = "data.near_duplicates: drop leaves out what is not for judging"
        return list(divisions), [f"{'; '.join(found)} ({fix})"]
    for rest in parted:
        for name, left in (("train", rest.train), ("dev", rest.dev)):
            if not left:
                raise DataError(
                    f"no {name} document is left without near duplicates",
                    where="data.near_duplicates",
                    fix="say note, or give other documents",
                )
    return parted, [
        f"{n} {part} documents left out: nearly a {other} document"
        for n, part, other in (
            (total.train_test, "training", "test"),
            (total.dev_test, "dev", "test"),
            (total.train_dev, "training", "dev"),
        )
        if n
    ]


def _part(division: Division) -> tuple[Division, Overlap]:
    # Test first: of many texts of one template the first stand for the rest.
    found = near_duplicates({"test": division.test, "dev": division.dev, "train": division.train})
    keys = {
        name: {_key(d) for d in part}
        for name, part in (("test", division.test), ("dev", division.dev))
    }

    def near(part: str, documents: Sequence[Document], other: str) -> set[str]:
        """Keys of the documents of ``part`` that are nearly one of ``other``, or in other case."""
        ids = set(found[part][other])
        listed = {_key(d) for d in documents if d.id in ids}
        return listed | ({_key(d) for d in documents} & keys[other])

    train_test = near("train", division.train, "test")
    dev_test = near("dev", division.dev, "test")
    train_dev = near("train", division.train, "dev")
    dev = [d for d in division.dev if _key(d) not in dev_test]
    far = [d for d in division.train if _key(d) not in train_test]
    train = [d for d in far if _key(d) not in train_dev]
    ids = {*found["test"]["train"], *found["test"]["dev"]}
    seen = train_test | dev_test
    overlap = Overlap(
        tested=sum(d.id in ids or _key(d) in seen for d in division.test),
        test=len(division.test),
        train_test=len(division.train) - len(far),
        dev_test=len(division.dev) - len(dev),
        train_dev=len(far) - len(train),
    )
    return Division(train, dev, division.test), overlap


def _counts(overlap: Overlap) -> Iterator[str]:
    if overlap.tested:
        yield (
            f"{overlap.tested} of {overlap.test} test documents are nearly a training or dev "
            f"document (of {overlap.train_test} and {overlap.dev_test})"
        )
    if overlap.train_dev:
        yield f"{overlap.train_dev} training documents are nearly a dev document"


def _key(document: Document) -> str:
    return text_key(document).casefold()
