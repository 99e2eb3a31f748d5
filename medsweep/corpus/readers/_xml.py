"""XML without document types, entities or anything else that leads out of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError, fromstring
from xml.parsers import expat

from medsweep.errors import DataError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def parse_xml(raw: bytes, where: str, *, lines_before: int = 0) -> Element:
    """The root element.

    Raises:
        DataError: a document type, not well-formed (with its line, of which ``lines_before`` the
            first of ``raw`` stand in the file), or an encoding that is not known.
    """
    # Without a document type there are no entities but XML's own, and nothing leads elsewhere. That
    # is looked for first, so that the tree can be built by the standard library's own code in C:
    # defusedxml builds it in Python, node by node.
    if _declares_type(raw):
        raise DataError(
            "the XML declares a document type or entities, which medsweep refuses",
            where=where,
            fix="take the DOCTYPE out",
        )
    try:
        root: Element = fromstring(raw)
    except ParseError as error:
        line = error.position[0] + lines_before
        raise DataError("not well-formed XML", where=f"{where}:{line}") from None
    except (LookupError, ValueError):
        raise DataError("the XML's encoding is unknown", where=where) from None
    return root


class _DocumentTypeError(Exception):
    pass


def _declares_type(raw: bytes) -> bool:
    def refuse(*_: object) -> None:
        raise _DocumentTypeError

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(raw, True)
    except _DocumentTypeError:
        return True
    except (expat.ExpatError, LookupError, ValueError):
        # Before a document type, where there is one, so that the tree is not built either.
        return False
    return False
