"""UIMA CAS as JSON (0.4), as INCEpTION exports it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from medsweep.corpus._base import Document, Reading
from medsweep.corpus.readers._cas import (
    WITHOUT_PLACE,
    Annotation,
    Cas,
    Type,
    TypeSystem,
    chosen_view,
    layers_of,
    to_document,
)
from medsweep.corpus.readers._fields import parse_json
from medsweep.corpus.readers._json import as_list, as_object
from medsweep.corpus.readers._layers import Layer
from medsweep.corpus.readers._lines import decode
from medsweep.corpus.readers._parsed import parsed_for_choice, parsed_once
from medsweep.corpus.readers._zip import LARGEST, too_large
from medsweep.errors import DataError

_SOFA = "uima.cas.Sofa"
_PLACE = frozenset({"begin", "end", "^begin", "^end"})
_OF_ALL = _PLACE | {"@sofa", "sofa"}
_KEYS = (b'"%TYPES"', b'"%FEATURE_STRUCTURES"', b'"%VIEWS"')


class CasJson:
    """A document is a file.

    Its text is that of the initial view. Types are declared in the file, those only that occur
    in many exports. The first character of a key tells what it is: ``%`` the format's own, ``@`` a
    reference, ``^`` an offset, ``#`` a number that JSON has no word for, such as NaN.
    """

    name = "cas-json"
    suffixes: tuple[str, ...] = ()
    shared_suffixes: tuple[str, ...] = (".json",)
    layered = True

    def layers(self, path: Path, reading: Reading) -> Sequence[Layer]:
        """The layers of a file, for choosing one; counts nothing."""
        return layers_of(parsed_for_choice(_cas, path, reading))

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """The document of a file."""
        yield to_document(parsed_once(_cas, path, reading), path.stem, path.name, reading)


def looks_like_cas_json(start: bytes) -> bool:
    """Whether JSON has a key that only a CAS has."""
    return any(key in start for key in _KEYS)


def _cas(path: Path, reading: Reading) -> Cas:
    where = path.name
    if path.stat().st_size > LARGEST:
        raise too_large(where)
    raw = path.read_bytes()
    value = parse_json(decode(raw.removeprefix(b"\xef\xbb\xbf"), where), where)
    if not isinstance(value, dict) or "%VIEWS" not in value:
        raise DataError("not a CAS: no %VIEWS", where=where)
    structures = _structures(value.get("%FEATURE_STRUCTURES"), where)
    sofa, text = _sofa(structures, where, reading)
    indexed = _members(value, sofa, where)
    found = [_annotation(f, where) for f in structures if _sofa_of(f, sofa) == sofa]
    if without := sum(a is None and id_ in indexed for id_, a in found):
        reading.changes[WITHOUT_PLACE] += without
    kept = [a for id_, a in found if a is not None and id_ in indexed]
    reading.changes.count_mentions(
        "annotations outside the view's index left out",
        sum(a is not None for _, a in found) - len(kept),
    )
    return Cas(
        text=text,
        annotations=kept,
        ids=frozenset(),
        types=_types(value.get("%TYPES"), where),
    )


def _structures(value: Any, where: str) -> list[dict[str, Any]]:
    """Feature structures of a list, or of an object that has them by their ids."""
    if isinstance(value, dict):
        by_id = {i: as_object(f, "a feature structure", where) for i, f in value.items()}
        return [{**f, "%ID": int(i) if i.isdecimal() else i} for i, f in by_id.items()]
    listed = as_list(value, "%FEATURE_STRUCTURES", where)
    return [as_object(f, "a feature structure", where) for f in listed]


def _sofa(structures: list[dict[str, Any]], where: str, reading: Reading) -> tuple[Any, str]:
    """Id and text of the view to read."""
    sofas = {str(f.get("sofaID")): f for f in structures if f.get("%TYPE") == _SOFA}
    texts = {name: f.get("sofaString") for name, f in sofas.items()}
    if not all(t is None or isinstance(t, str) for t in texts.values()):
        raise DataError("a sofaString is not a string", where=where)
    view = sofas[chosen_view(texts, where, reading)]
    return view.get("%ID"), view["sofaString"]


def _members(value: dict[str, Any], sofa: Any, where: str) -> frozenset[Any]:
    views = as_object(value.get("%VIEWS"), "%VIEWS", where)
    found = [as_object(v, "a view", where) for v in views.values()]
    members_ = [
        as_list(v.get("%MEMBERS"), "%MEMBERS", where) for v in found if v.get("%SOFA") == sofa
    ]
    return frozenset(m for ids in members_ for m in ids if isinstance(m, int | str))


def _sofa_of(structure: dict[str, Any], usual: Any) -> Any:
    """A structure's sofa; an annotation that tells none is of the view that has it."""
    told = structure.get("@sofa", structure.get("sofa"))
    return usual if told is None and not _PLACE.isdisjoint(structure) else told


def _annotation(structure: dict[str, Any], where: str) -> tuple[Any, Annotation | None]:
    """Id and annotation; None for a structure without a place in the text."""
    id_, type_ = structure.get("%ID"), structure.get("%TYPE")
    if not isinstance(id_, int | str) or not isinstance(type_, str):
        raise DataError("a feature structure without %ID or %TYPE", where=where)
    if _PLACE.isdisjoint(structure):
        return id_, None
    own = {
        key.lstrip("@#^"): value
        for key, value in structure.items()
        if key[:1] != "%" and key not in _OF_ALL
    }
    return id_, Annotation(
        type=type_,
        begin=structure.get("begin", structure.get("^begin")),
        end=structure.get("end", structure.get("^end")),
        features={key: _written(v) for key, v in own.items() if isinstance(v, str | int | float)},
        place=f"{where}: structure {id_ if isinstance(id_, int) else ''}",
        lists=sum(isinstance(v, list | dict) for v in own.values()),
        references=frozenset(k[1:] for k in structure if k[:1] in ("@", "^")),
    )


def _written(value: str | float) -> str:
    """As XMI has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _types(value: Any, where: str) -> TypeSystem:
    declared = as_object(value, "%TYPES", where) if value is not None else {}
    types = {name: as_object(t, "a type", where) for name, t in declared.items()}
    return TypeSystem({name: _type(t, where) for name, t in types.items()})


def _type(value: dict[str, Any], where: str) -> Type:
    features = {
        name: str(as_object(f, "a feature", where).get("%RANGE"))
        for name, f in value.items()
        if not name.startswith("%")
    }
    return Type(str(value.get("%SUPER_TYPE")), features)
