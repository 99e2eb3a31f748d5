"""UIMA CAS: what XMI and JSON have in common.

By hand instead of with dkpro-cassis (0.12): cassis needs the whole type system, which exports often
lack, and otherwise drops annotations of types it does not know; offsets outside the text it keeps,
with a warning; and the XML parser beneath it resolves entities. Reading spans needs none of that.
A layer is one type: annotations of its subtypes are layers of their own, as in TSV.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from medsweep.corpus._base import Document, Reading, Span
from medsweep.corpus.readers._anchor import OUTSIDE
from medsweep.corpus.readers._json import as_whole
from medsweep.corpus.readers._layers import (
    REFERENCES,
    Choice,
    Layer,
    count_layers,
    is_name,
    layer_names,
)
from medsweep.corpus.readers._utf16 import Utf16
from medsweep.errors import DataError

WITHOUT_PLACE = "structures without a place in the text left out"
ANNOTATION = "uima.tcas.Annotation"
INITIAL_VIEW = "_InitialView"
_PRIMITIVE = ("String", "Boolean", "Byte", "Short", "Integer", "Long", "Float", "Double")
PRIMITIVES = frozenset(f"uima.cas.{name}" for name in _PRIMITIVE)
# Relations are annotations too, of the place where they end.
_RELATION = frozenset({"Governor", "Dependent"})
_OF_ALL = frozenset({"begin", "end", "sofa"})


@dataclass(frozen=True, slots=True)
class Annotation:
    """A feature structure with a place in the text, as the file has it (UTF-16 units).

    ``features`` are those with one value or reference; ``lists`` is the number of the others.
    ``references``: the features that are marked as such, which only JSON does.
    """

    type: str
    begin: object
    end: object
    features: Mapping[str, str]
    place: str
    lists: int = 0
    references: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Type:
    """A declared type: its parent, and each of its features' range."""

    parent: str
    features: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TypeSystem:
    """Declared types by name; ``complete``: there is no type that is not among them."""

    types: Mapping[str, Type] = field(default_factory=dict)
    complete: bool = False

    def lineage(self, name: str) -> list[str]:
        """A type, its parent, and so on; ends where a parent is not declared or comes again."""
        found: list[str] = []
        while name in self.types and name not in found:
            found.append(name)
            name = self.types[name].parent
        return [*found, name]

    def features(self, name: str) -> dict[str, str]:
        """A type's features with those it inherits."""
        return {
            feature: range_
            for ancestor in self.lineage(name)
            if ancestor in self.types
            for feature, range_ in self.types[ancestor].features.items()
        }

    def holds_text(self, range_: str) -> bool:
        """Whether a feature of this range has a value of its own, not a reference."""
        return not PRIMITIVES.isdisjoint(self.lineage(range_))


@dataclass(frozen=True, slots=True)
class Cas:
    """One view of a CAS: its text, its annotations, and ids of all feature structures.

    There are no ids where annotations tell which of their features are references.
    """

    text: str
    annotations: Sequence[Annotation]
    ids: frozenset[str]
    types: TypeSystem


def layers_of(cas: Cas) -> list[Layer]:
    """The layers of a file that are annotations, and no relations."""
    return _layers(*_without_relations(cas), cas)


def to_document(cas: Cas, id_: str, where: str, reading: Reading) -> Document:
    """The document with the spans of the chosen layer."""
    kept, relations = _without_relations(cas)
    if len(kept) < len(cas.annotations):
        reading.changes["relations left out"] += len(cas.annotations) - len(kept)
    layers, choice = _layers(kept, relations, cas), reading.choice
    if choice is None and reading.layer and cas.types.complete:
        raise DataError(
            f"no layer {reading.layer}{layer_names([x.name for x in layers if x.used])}",
            where=where,
            fix="name a layer that the type system declares",
        )
    spans: tuple[Span, ...] | None = () if reading.layer or choice else None
    if count_layers(layers, reading) and choice is not None:
        chosen = [a for a in kept if a.type == choice.layer.name]
        spans = tuple(_spans(chosen, choice, cas.text, reading))
    return Document(id_, cas.text, spans=spans, source=where)


def _without_relations(cas: Cas) -> tuple[list[Annotation], set[str]]:
    """The annotations but for relations, and the types that are relations."""
    relations = {a.type for a in cas.annotations if not _RELATION.isdisjoint(a.features)}
    relations |= {t for t in cas.types.types if not _RELATION.isdisjoint(cas.types.features(t))}
    return [a for a in cas.annotations if a.type not in relations], relations


def _layers(annotations: Sequence[Annotation], relations: set[str], cas: Cas) -> list[Layer]:
    """Layers that occur, and those that are declared."""
    observed: dict[str, dict[str, set[str]]] = {}
    mentions = Counter(annotation.type for annotation in annotations)
    for annotation in annotations:
        features = observed.setdefault(annotation.type, {})
        for name in annotation.features.keys() - annotation.references:
            value = annotation.features[name]
            features.setdefault(name, set()).add(value)
    declared = {t for t in cas.types.types if ANNOTATION in cas.types.lineage(t)} - relations
    return [
        Layer(
            name,
            _features(name, observed.get(name, {}), cas),
            mentions=mentions[name],
            declared=name in cas.types.types,
        )
        for name in [*observed, *sorted(declared - observed.keys())]
    ]


def _features(name: str, observed: Mapping[str, set[str]], cas: Cas) -> tuple[str, ...]:
    """Features with a value: those declared so, else those that hold no references."""
    if name in cas.types.types:
        declared = cas.types.features(name).items()
        return tuple(f for f, r in declared if f not in _OF_ALL and cas.types.holds_text(r))
    return tuple(
        feature
        for feature, values in observed.items()
        if not all(cas.ids.issuperset(value.split()) for value in values)
    )


def _spans(
    annotations: Iterable[Annotation], choice: Choice, text: str, reading: Reading
) -> Iterable[Span]:
    places = Utf16(text)
    for annotation in annotations:
        start, end = (
            places.code_point(as_whole(n, "an offset", annotation.place))
            for n in (annotation.begin, annotation.end)
        )
        if start is None or end is None or start > end:
            error = DataError(
                "begin and end do not lie in the text, in this order",
                where=annotation.place,
                fix="offsets count UTF-16 units from 0, the end behind the last one",
            )
            reading.changes.leave_out(OUTSIDE, error)
            continue
        if annotation.lists:
            reading.changes["lists of values left out"] += annotation.lists
        own = {*choice.layer.features, choice.feature}
        for name in (f for f, v in annotation.features.items() if f not in own and v != ""):
            told = choice.layer.declared or name in annotation.references
            kind = REFERENCES if told else _taken_for_references(name)
            reading.changes.count_mentions(kind)
        yield choice.span(start, end, annotation.features, annotation.place, reading.changes)


def _taken_for_references(feature: str) -> str:
    shown = feature if is_name(feature) else "a feature"
    return f"values of {shown} that equal ids, taken for references (TypeSystem.xml would tell)"


def chosen_view(texts: Mapping[str, str | None], where: str, reading: Reading) -> str:
    """The key of the view to read, of views by name with their texts."""
    with_text = [name for name, text in texts.items() if text is not None]
    if len(with_text) > 1:
        reading.changes["views left out"] += len(with_text) - 1
    if INITIAL_VIEW in with_text:
        return INITIAL_VIEW
    if len(with_text) != 1:
        problem = "several views with a text" if with_text else "no view with a text"
        raise DataError(problem, where=where, fix=f"put the document into {INITIAL_VIEW}")
    return with_text[0]
