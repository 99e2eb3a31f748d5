"""XML without document types, entities or anything else that leads out of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from medsweep.errors import DataError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def parse_xml(raw: bytes, where: str, *, lines_before: int = 0) -> Element:
    """The root element.

    Raises:
        DataError: a document type, not well-formed (with its line, of which ``lines_before`` the
            first of ``raw`` stand in the file), or an encoding that is not known.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(raw, forbid_dtd=True)
    except DefusedXmlException:
        raise DataError(
            "the XML declares a document type or entities, which medsweep refuses",
            where=where,
            fix="take the DOCTYPE out",
        ) from None
    except ParseError as error:
        line = error.position[0] + lines_before
        raise DataError("not well-formed XML", where=f"{where}:{line}") from None
    except (LookupError, ValueError):
        raise DataError("the XML's encoding is unknown", where=where) from None
    return root
