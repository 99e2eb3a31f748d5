"""Numbers of classes, as Hugging Face's ``datasets`` keeps them, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsweep.errors import DataError


def named(value: Any, feature: Any, where: str) -> Any:
    """``value`` with names for numbers of classes, in lists and structures too.

    ``feature`` is what ``datasets`` says of the column, as its object or as its JSON. -1 stands
    for no class.

    Raises:
        DataError: a class does not exist.
    """
    # In datasets 3 a list of structures may be a plain list with one element.
    inner = feature[0] if isinstance(feature, list) else _part(feature, "feature", feature)
    if isinstance(value, list):
        return [named(v, inner, where) for v in value]
    if isinstance(value, dict) and isinstance(inner, Mapping):
        return {key: named(v, inner.get(key), where) for key, v in value.items()}
    names = _part(inner, "names", None)
    if value is None or not isinstance(names, list) or not names or isinstance(value, str):
        return value
    if value == -1:
        return None
    if type(value) is not int or not 0 <= value < len(names):
        raise DataError("the number of a class that does not exist", where=where)
    return str(names[value])


def _part(feature: Any, name: str, usual: Any) -> Any:
    if isinstance(feature, Mapping) and "_type" in feature:
        return feature.get(name, usual)
    return getattr(feature, name, usual)
