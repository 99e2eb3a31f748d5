"""Which layer of a file's annotations holds the gold, and which feature the type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from medsweep.corpus._base import Changes, Reading, Span
from medsweep.corpus.readers._fields import as_name, as_value
from medsweep.errors import DataError

REFERENCES = "references to other annotations left out"

# What tools and not people annotate: tokens, sentences, parts of speech, metadata, markup. To be
# had by name only. Named entities live among them.
_OF_TOOLS = re.compile(
    r"uima\.|de\.tudarmstadt\.ukp\.(?:dkpro\.core\.api\.(?!ner\.)|clarin\.webanno\.api\.|inception\.)"
    r"|org\.dkpro\.core\.api\."
)
# Of a layer's several features the one that holds the type: NamedEntity has an identifier too, and
# the links of chains a referenceRelation.
_USUAL = ("value", "referenceType")
_NAME = re.compile(r"[^\W\d][\w$]*(?:\.[^\W\d][\w$]*)*")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of spans by its full name, with the features that have a value of their own.

    ``mentions``: its annotations in the file; a layer may only be declared there. ``declared``: it
    has no other features; else they are those that occur.
    """

    name: str
    features: tuple[str, ...] = ()
    mentions: int = 1
    declared: bool = True

    @property
    def used(self) -> bool:
        """Whether it has annotations."""
        return self.mentions > 0

    @property
    def short(self) -> str:
        """The name without its package."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Choice:
    """The layer to read; ``feature`` None: the type is the layer's short name."""

    layer: Layer
    feature: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """Full name of the layer, and name of the feature."""
        return (self.layer.name, self.feature) if self.feature else (self.layer.name,)

    def span(
        self,
        start: int,
        end: int,
        features: Mapping[str, str | None],
        where: str,
        changes: Changes,
    ) -> Span:
        """The mention of an annotation: one feature is its type, the others its attributes."""
        type_ = as_name(features.get(self.feature) if self.feature else None, "type", where)
        if type_ is None:
            type_ = self.layer.short
            if self.feature is not None:
                changes.count_mentions(f"spans without {self.feature} read as {type_}")
        others = ((f, as_value(features.get(f))) for f in self.layer.features if f != self.feature)
        attributes = sorted((field, value) for field, value in others if value is not None)
        return Span(start, end, type_, attributes=tuple(attributes))


def merged(layers: Iterable[Layer]) -> list[Layer]:
    """The layers of several files, each with the features that it has in any of them."""
    joined: dict[str, Layer] = {}
    for layer in layers:
        before = joined.get(layer.name)
        joined[layer.name] = layer if before is None else _joined(before, layer)
    return list(joined.values())


def _joined(a: Layer, b: Layer) -> Layer:
    # What a type system declares is all there is.
    known = [x for x in (a, b) if x.declared] or [a, b]
    features = dict.fromkeys(f for layer in known for f in layer.features)
    return Layer(a.name, tuple(features), a.mentions + b.mentions, len(known) < 2 or a.declared)


def choose_layer(layers: Sequence[Layer], reading: Reading, where: str) -> Choice | None:
    """The layer of a corpus: the one that is named, else the only one that people annotate.

    Chosen once for all files, whose layers ``layers`` are: exports leave out of a file what has
    no annotation there, and without a type system features, too. None where there is no such
    layer, and where no gold is asked for and no layer named.

    Raises:
        DataError: no layer is named and there are several; the name fits several; the feature is
            missing or has to be named; a name is none.
    """
    if reading.unlabelled and not reading.layer:
        return None
    choice = _named(layers, reading.layer, where) if reading.layer else _only(layers, where)
    if choice is not None and not all(map(is_name, (*choice.names, *choice.layer.features))):
        raise DataError("the name of the layer or a feature is not a Java name", where=where)
    return choice


def count_layers(layers: Sequence[Layer], reading: Reading) -> bool:
    """Whether a file, whose layers ``layers`` are, has the chosen one; counts what it lacks.

    A file without it has no mention, where the corpus has the layer or it was named.
    """
    choice, changes = reading.choice, reading.changes
    name = choice.layer.name if choice else None
    has = any(layer.name == name for layer in layers)
    if choice is None and not reading.layer:
        return False
    if not has:
        changes[f"documents without layer {reading.layer or name}"] += 1
    elif choice is not None and reading.layer is None:
        changes["documents read from layer " + ".".join(choice.names)] += 1
    others = (x for x in layers if x.name != name and not _OF_TOOLS.match(x.name))
    changes.count_mentions(
        "mentions of other layers left out", sum(layer.mentions for layer in others)
    )
    return has


def _only(layers: Sequence[Layer], where: str) -> Choice | None:
    usual = [layer for layer in layers if not _OF_TOOLS.match(layer.name)]
    usual = [layer for layer in usual if layer.used] or usual
    if len(usual) > 1:
        raise DataError(
            f"several layers{layer_names([layer.name for layer in usual])}",
            where=where,
            fix="name one with layer",
        )
    return Choice(usual[0], _default_feature(usual[0], where)) if usual else None


def _named(layers: Sequence[Layer], wanted: str, where: str) -> Choice | None:
    whole = [layer for layer in layers if wanted in (layer.name, layer.short)]
    if len(whole) == 1:
        return Choice(whole[0], _default_feature(whole[0], where))
    name, _, feature = wanted.rpartition(".")
    part = [layer for layer in layers if name in (layer.name, layer.short)]
    if len(whole) > 1 or len(part) > 1:
        raise DataError(
            f"several layers of that name{layer_names([layer.name for layer in whole or part])}",
            where=where,
            fix="write the layer's full name",
        )
    if not part:
        return None
    if part[0].declared and feature not in part[0].features:
        raise DataError(
            f"layer {name} has no feature {feature}{layer_names(part[0].features)}",
            where=where,
            fix="name one that it has",
        )
    return Choice(part[0], feature)


def _default_feature(layer: Layer, where: str) -> str | None:
    if len(layer.features) < 2:
        return next(iter(layer.features), None)
    for feature in _USUAL:
        if feature in layer.features:
            return feature
    raise DataError(
        f"the layer has several features{layer_names(layer.features)}",
        where=where,
        fix="write LAYER.FEATURE under layer",
    )


def layer_names(names: Sequence[str]) -> str:
    """Names for a message, those that cannot be text; of tools' layers only where no others are."""
    known = sorted(filter(is_name, names))
    shown = ([n for n in known if not _OF_TOOLS.match(n)] or known)[:20]
    return f" ({', '.join(shown)})" if shown else ""


def is_name(name: str) -> bool:
    """Whether it is one, and not text in the wrong place."""
    return _NAME.fullmatch(name) is not None and len(name) <= _LONGEST
