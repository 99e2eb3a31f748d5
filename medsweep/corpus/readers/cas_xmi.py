"""UIMA CAS as XMI."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

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
from medsweep.corpus.readers._layers import Layer
from medsweep.corpus.readers._parsed import parsed_for_choice, parsed_once
from medsweep.corpus.readers._xml import parse_xml
from medsweep.corpus.readers._zip import LARGEST, too_large
from medsweep.errors import DataError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_XMI = "{http://www.omg.org/XMI}"
_CAS = "{http:///uima/cas.ecore}"
_ECORE = "{http:///", ".ecore}"
_PLACE = frozenset(("sofa", "begin", "end"))
_NO_NAMESPACE = "uima.noNamespace."
_TYPES = "{http://uima.apache.org/resourceSpecifier}"
TYPE_SYSTEMS = ("TypeSystem.xml", "typesystem.xml")


class CasXmi:
    """A document is an XMI file, whether it is called ``.xmi`` or ``.xml``.

    Its text is that of the initial view. The type system is ``TypeSystem.xml`` beside the file or
    in the folder above. It may be missing: then layers and features are those that occur, and
    features whose values are all ids are references. Annotations count that the view's index has.
    """

    name = "cas-xmi"
    suffixes: tuple[str, ...] = (".xmi",)
    shared_suffixes: tuple[str, ...] = (".xml",)
    layered = True

    def layers(self, path: Path, reading: Reading) -> Sequence[Layer]:
        """The layers of a file, for choosing one; counts nothing."""
        return layers_of(parsed_for_choice(_cas, path, reading))

    def read(self, path: Path, reading: Reading) -> Iterator[Document]:
        """The document of a file."""
        yield to_document(parsed_once(_cas, path, reading), path.stem, path.name, reading)


def looks_like_xmi(start: bytes) -> bool:
    """Whether XML that begins so, without declaration and comments, is XMI."""
    return re.match(rb"<(?:\w+:)?XMI\b", start) is not None


def _content(path: Path) -> bytes:
    if path.stat().st_size > LARGEST:
        raise too_large(path.name)
    return path.read_bytes()


def _beside(path: Path) -> TypeSystem:
    for folder in (path.parent, path.absolute().parent.parent):
        for name in TYPE_SYSTEMS:
            if (folder / name).is_file():
                return _type_system(_content(folder / name), name)
    return TypeSystem()


def _type_system(raw: bytes, where: str) -> TypeSystem:
    """The declared types. Imports are not followed: they may name any file."""
    root = parse_xml(raw, where)
    if root.tag != f"{_TYPES}typeSystemDescription":
        raise DataError("not a type system", where=where, fix="put it elsewhere")
    types = {
        _content_of(t, "name"): Type(
            _content_of(t, "supertypeName"),
            {
                _content_of(f, "name"): _content_of(f, "rangeTypeName")
                for f in t.iter(f"{_TYPES}featureDescription")
            },
        )
        for t in root.iter(f"{_TYPES}typeDescription")
    }
    return TypeSystem(types, complete=next(root.iter(f"{_TYPES}import"), None) is None)


def _content_of(element: Element, child: str) -> str:
    return (element.findtext(f"{_TYPES}{child}") or "").strip()


def _cas(path: Path, reading: Reading) -> Cas:
    where, types = path.name, _beside(path)
    root = parse_xml(_content(path), where)
    if root.tag != f"{_XMI}XMI":
        raise DataError("the root element is not xmi:XMI", where=where, fix="name the right format")
    sofa, text = _sofa(root, where, reading)
    members_ = _members(root, sofa)
    of_view = [e for e in root if e.get("sofa") == sofa and not e.tag.startswith(_CAS)]
    found = [e for e in of_view if "begin" in e.attrib or "end" in e.attrib]
    indexed = [e for e in found if e.get(f"{_XMI}id") in members_]
    reading.changes.count_mentions(
        "annotations outside the view's index left out", len(found) - len(indexed)
    )
    if without := sum(e.get(f"{_XMI}id") in members_ for e in of_view) - len(indexed):
        reading.changes[WITHOUT_PLACE] += without
    return Cas(
        text=text,
        annotations=[_annotation(e, where) for e in indexed],
        ids=frozenset(e.get(f"{_XMI}id", "") for e in root),
        types=types,
    )


def _sofa(root: Element, where: str, reading: Reading) -> tuple[str, str]:
    """Id and text of the view to read."""
    sofas = {e.get("sofaID", ""): e for e in root.iterfind(f"{_CAS}Sofa")}
    texts = {name: e.get("sofaString") for name, e in sofas.items()}
    view = sofas[chosen_view(texts, where, reading)]
    return view.get(f"{_XMI}id", ""), view.get("sofaString", "")


def _members(root: Element, sofa: str) -> frozenset[str]:
    views = [e for e in root.iterfind(f"{_CAS}View") if e.get("sofa") == sofa]
    return frozenset(id_ for view in views for id_ in view.get("members", "").split())


def _annotation(element: Element, where: str) -> Annotation:
    features: Mapping[str, str] = {
        k: v for k, v in element.attrib.items() if k not in _PLACE and k[0] != "{"
    }
    return Annotation(
        type=_type_name(element.tag),
        begin=element.get("begin"),
        end=element.get("end"),
        features=features,
        place=f"{where}: element {element.get(f'{_XMI}id', '')}",
        lists=len({child.tag for child in element}) if len(element) else 0,
    )


@lru_cache(maxsize=4096)
def _type_name(tag: str) -> str:
    namespace, _, name = tag.rpartition("}")
    package = namespace.removeprefix(_ECORE[0]).removesuffix(_ECORE[1][:-1])
    return f"{package.replace('/', '.')}.{name}".removeprefix(_NO_NAMESPACE)
