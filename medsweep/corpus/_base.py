"""Documents, and what a reader of a corpus format promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from medsweep.errors import DataError

if TYPE_CHECKING:
    from medsweep.corpus.readers._layers import Choice, Layer

Kind = Literal["classification", "multilabel", "ner"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A typed mention: ``text[start:end]``, offsets in code points, half-open.

    Attributes:
        start: offset of the first character.
        end: offset behind the last character.
        type: the entity type.
        fragments: for a discontinuous mention, its pieces in order as ``(start, end)``;
            ``start`` and ``end`` are then those of the hull. Empty for an ordinary mention.
        attributes: what else is said of the mention, as ``(field, value)``, sorted by field.
    """

    start: int
    end: int
    type: str
    fragments: tuple[tuple[int, int], ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()

    def moved(self, by: int) -> Span:
        """The same mention ``by`` characters further on."""
        fragments = tuple((a + by, b + by) for a, b in self.fragments)
        return replace(self, start=self.start + by, end=self.end + by, fragments=fragments)


@dataclass(frozen=True, slots=True)
class Document:
    """One labelled text.

    Attributes:
        id: unique in its corpus.
        text: never shown in ``repr``, so that no traceback or log can carry it.
        label: gold of a classification document; None where unlabelled.
        spans: gold of an NER document, sorted; None where unannotated, ``()`` where the
            document has no mention.
        labels: gold of a multi-label document, sorted; None where unlabelled, ``()`` where none
            applies.
        group: what must not be torn over splits, such as the patient.
        split: which part of a divided corpus it belongs to, as the file says (``test``).
        source: where it was read from (``notes.jsonl:17``), for messages.
    """

    id: str
    text: str = field(repr=False)
    label: str | None = field(default=None, repr=False)
    spans: tuple[Span, ...] | None = field(default=None, repr=False)
    group: str | None = None
    labels: tuple[str, ...] | None = field(default=None, repr=False)
    split: str | None = field(default=None, compare=False)
    source: str = field(default="", compare=False)

    @property
    def has_gold(self) -> bool:
        """Whether it is labelled or annotated for any task."""
        return not (self.label is None and self.labels is None and self.spans is None)

    def without_gold(self) -> Document:
        """As a model is to see it."""
        return replace(self, label=None, labels=None, spans=None)


@dataclass(frozen=True, slots=True)
class Columns:
    """Names under which tabular formats (JSONL, CSV, …) hold a document's parts."""

    id: str = "id"
    text: str = "text"
    label: str = "label"
    labels: str = "labels"
    entities: str = "entities"
    group: str = "group"
    split: str = "split"


# With more of its mentions out of place a corpus does not belong to its texts.
MAX_MISPLACED = 0.05
# So many mentions out of place are left out whatever share they are, where as many others are not.
FEW_MISPLACED = 2


class Changes(Counter[str]):
    """What reading a corpus changed, by kind (``relations left out``), and what was read.

    Attributes:
        format: name of the format that was read.
        files: how many files were.
        mentions: mentions that were read, without those that were left out.
        misplaced: mentions left out because they cannot lie where their file says, each as the
            error that says why, with file and line.
        encodings: of the text files that were read, by their paths.
        of_mentions: the kinds that change a document's mentions.
    """

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        super().__init__(counts or {})
        self.format, self.files = "", 0
        self.mentions = 0
        self.misplaced: list[DataError] = []
        self.encodings: dict[Path, str] = {}
        self.of_mentions: set[str] = set()

    def count_mentions(self, kind: str, number: int = 1) -> None:
        """Count what happened to so many mentions; none is no entry."""
        if number:
            self[kind] += number
            self.of_mentions.add(kind)

    def leave_out(self, kind: str, error: DataError) -> None:
        """Count a mention that is left out, and keep its place."""
        self.count_mentions(kind)
        self.misplaced.append(error)

    def check_misplaced(self, most: float) -> None:
        """Refuse the corpus where a larger share than ``most`` of its mentions was left out.

        One or two among others are no reason, unless ``most`` is 0.

        Raises:
            DataError: the first of them.
        """
        number, total = len(self.misplaced), len(self.misplaced) + self.mentions
        # Of a small corpus one mention is a large share, and tells as little.
        few = most > 0 and number <= min(FEW_MISPLACED, self.mentions)
        if number > most * total and not few:
            first = self.misplaced[0]
            raise DataError(
                f"{first.problem} ({number} of {total} mentions are misplaced, more than "
                f"max_misplaced {most:g})",
                where=first.where,
                fix=first.fix or "mend them, or raise max_misplaced",
            )


@dataclass(frozen=True, slots=True)
class Reading:
    """How a corpus is to be read, and what reading changed.

    Attributes:
        columns: names of the parts in tabular formats.
        layer: annotation layer (``NAME`` or ``NAME.FEATURE``) of formats that have layers.
        unlabelled: gold is not asked for: no layer need be chosen where none is named.
        annotator: whose annotations to read where a document has several people's.
        encoding: of text files; None: UTF-8, or what a file says or shows to be.
        changes: what was dropped, joined or moved on the way, by kind, with counts. A reader adds
            to it; nothing is changed without an entry here.
        choice: the layer that was chosen for all files of the corpus, in formats that have layers.
        parsed: files that were parsed for choosing it, with what that changed, so that they need
            not be parsed again; of a large corpus only the first.
    """

    columns: Columns = Columns()
    layer: str | None = None
    unlabelled: bool = False
    annotator: str | None = None
    encoding: str | None = None
    changes: Changes = field(default_factory=Changes)
    choice: Choice | None = None
    parsed: dict[Path, tuple[Any, Changes]] = field(default_factory=dict)


class Reader(Protocol):
    """A corpus format: one file of ``medsweep.corpus.readers`` each.

    ``name`` is what the sweep file's ``format`` says, ``suffixes`` are the file endings from
    which the format is inferred (lower case, with dot). ``shared_suffixes`` are endings that
    other formats have too: in a folder such files are read where the format is named.
    ``layered`` says whether the format has annotation layers to choose from.

    ``read`` streams documents and raises :class:`~medsweep.errors.DataError` with file and
    line for anything it cannot read. It never returns a document whose spans fall outside
    its text. They may be unsorted, equal or have white space at their edges, and the text a byte
    order mark: ``readers/_spans.py`` puts that right for all formats. Ids may be missing in a
    format: then the reader numbers (``<file stem>-<n>``).
    """

    name: str
    suffixes: tuple[str, ...]
    shared_suffixes: tuple[str, ...]
    layered: bool

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """Stream the documents of ``path`` (a file, or for some formats a folder)."""
        ...


@runtime_checkable
class LayerReader(Reader, Protocol):
    """A format of which one layer is chosen for all files of a corpus, before any is read."""

    def layers(self, path: Path, reading: Reading) -> Sequence[Layer]:
        """The layers of a file; changes nothing but encodings."""
        ...
