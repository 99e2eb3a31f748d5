"""Read a sweep file, apply ``--set``, and report every problem at once with its place."""

from __future__ import annotations

import copy
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from medsweep.config.models import Sweep
from medsweep.errors import ConfigError, InputError, InputErrors, in_words, suggestion


class _UniqueKeys(yaml.SafeLoader):
    """YAML lets the last of two equal keys win silently; a sweep file must not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a list or mapping cannot be a key", problem_mark=key_node.start_mark
                )
            # Keys are words: a class may be called yes, no or 1.
            if key_node.tag != "tag:yaml.org,2002:merge":
                key_node.tag = "tag:yaml.org,2002:str"
            key = key_node.value
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key!r} appears twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_sweep(
    path: Path | str,
    overrides: Sequence[str] = (),
    further: Callable[[Sweep], Iterable[InputError]] = lambda _: (),
) -> Sweep:
    """The sweep that ``path`` and ``--set`` options describe, with absolute paths.

    Args:
        path: a YAML file.
        overrides: ``path.to.key=value``, the value in YAML; list items by number.
        further: finds what else is wrong with a sweep. It is asked where the file has mistakes,
            and has a sweep without what they stand at, so that all are reported together.

    Raises:
        InputErrors: everything that is wrong, one :class:`ConfigError` each.
        ConfigError: the file is missing or no YAML mapping, or an override has no ``=``.
    """
    path = Path(path)
    raw = _read(path)
    for override in overrides:
        _apply(raw, override)
    try:
        sweep = Sweep.model_validate(raw)
    except ValidationError as error:
        problems = list[InputError](_one_a_place(_problems(error, path.name)))
        rest = _without(raw, error)
        if rest is not None:
            problems += further(_absolute(rest, path.resolve().parent))
        raise InputErrors(problems) from None
    return _absolute(sweep, path.resolve().parent)


def _without(raw: dict[str, Any], error: ValidationError) -> Sweep | None:
    """The sweep without what is wrong; None where that is no sweep."""
    rest = copy.deepcopy(raw)
    for item in error.errors(include_url=False, include_input=False):
        *parents, last = [p for p in item["loc"] if not _is_union_tag(p)] or [""]
        node: Any = rest
        for part in parents:
            inside = isinstance(node, dict) or (isinstance(node, list) and isinstance(part, int))
            node = node[part] if inside and part in _keys(node) else None
        if isinstance(node, dict):
            node.pop(last, None)
    try:
        return Sweep.model_validate(rest)
    except ValidationError:
        return None


def _keys(node: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return node if isinstance(node, dict) else range(len(node))


def _read(path: Path) -> dict[str, Any]:
    where = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            "no such file", where=where, fix="`medsweep init` writes a sweep file"
        ) from None
    except IsADirectoryError:
        raise ConfigError("is a folder", where=where, fix="name the sweep file in it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot be read ({type(error).__name__})", where=where, fix="save it as UTF-8 text"
        ) from None
    try:
        raw = yaml.load(text, _UniqueKeys)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise ConfigError(
            f"not valid YAML: {error.problem}", where=place, fix="correct this line"
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}", where=where, fix="correct it") from None
    if not isinstance(raw, dict):
        raise ConfigError(
            "does not hold a mapping", where=where, fix="see `medsweep init` for an example"
        )
    return raw


def _apply(raw: dict[str, Any], override: str) -> None:
    """Set one ``a.b.c=value`` in place, making mappings on the way."""
    dotted, equals, text = override.partition("=")
    where = f"--set {override}"
    if not equals or not dotted:
        raise ConfigError("no value", where=where, fix="write --set path.to.key=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(
            "the value is not valid YAML", where=where, fix="quote the value"
        ) from None
    *parents, last = dotted.split(".")
    node: Any = raw
    for part in parents:
        if isinstance(node, list):
            node = node[_index(node, part, where)]
        elif isinstance(node, dict):
            child = node.get(part)
            if isinstance(child, str) and part in ("train", "test", "dev"):
                child = node[part] = {"path": child}
            if child is None:
                child = node[part] = {}
            node = child
        else:
            break
    if isinstance(node, list):
        node[_index(node, last, where)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        raise ConfigError(
            f"{'.'.join(parents)} holds a single value",
            where=where,
            fix=f"set {'.'.join(parents)} itself",
        )


def _index(node: list[Any], part: str, where: str) -> int:
    if not part.isdigit() or int(part) >= len(node):
        raise ConfigError(
            f"{part!r} is not an item of a list of {len(node)}",
            where=where,
            fix="count items from 0",
        )
    return int(part)


def _problems(error: ValidationError, file: str) -> Iterable[ConfigError]:
    for item in error.errors(include_url=False):
        loc = [p for p in item["loc"] if not _is_union_tag(p)]
        where = f"{file}: {_dotted(loc)}" if loc else file
        kind, message = item["type"], item["msg"]
        if kind == "extra_forbidden":
            known = _keys_at(loc[:-1])
            yield ConfigError(
                "unknown key",
                where=where,
                fix=suggestion(str(loc[-1]), known) or f"known here: {', '.join(known)}",
            )
        elif kind == "missing":
            yield ConfigError("missing", where=where, fix="add this key")
        elif kind == "literal_error":
            yield ConfigError(
                "not one of the allowed values",
                where=where,
                fix=f"use {item.get('ctx', {}).get('expected', '')}",
            )
        elif kind == "value_error":
            problem, _, fix = message.removeprefix("Value error, ").partition("; ")
            yield ConfigError(problem, where=where, fix=fix or None)
        else:
            problem, fix = in_words(kind, message, item.get("ctx", {}), item["input"])
            yield ConfigError(problem, where=where, fix=fix)


def _one_a_place(problems: Iterable[ConfigError]) -> list[ConfigError]:
    """Pydantic reports every member of a union; a person can use the innermost, once."""
    first: dict[str, ConfigError] = {}
    for problem in problems:
        first.setdefault(problem.where or "", problem)
    return [
        problem
        for place, problem in first.items()
        if not any(other.startswith((f"{place}.", f"{place}[")) for other in first)
    ]


def _is_union_tag(part: int | str) -> bool:
    """Pydantic names the tried member of a union in the location; the file does not."""
    return isinstance(part, str) and (
        part in {"SourceConfig", "Range", "int", "float", "constrained-int", "constrained-float"}
        or part.startswith(("literal[", "tuple[", "function-", "is-instance["))
    )


def _dotted(loc: Sequence[int | str]) -> str:
    out = ""
    for part in loc:
        out += f"[{part}]" if isinstance(part, int) else (f".{part}" if out else str(part))
    return out


def _keys_at(loc: Sequence[int | str]) -> list[str]:
    """The keys that the section at ``loc`` knows."""
    section: Any = Sweep
    for part in loc:
        if isinstance(part, int):
            continue
        field = section.model_fields.get(part)
        inner = list(_sections(field.annotation)) if field else []
        if not inner:
            return []
        section = inner[0]
    return list(section.model_fields)


def _sections(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is not None:
        for inner in typing.get_args(annotation):
            yield from _sections(inner)


def _absolute(sweep: Sweep, folder: Path) -> Sweep:
    """Anchor relative paths: beside the sweep file if they exist there, else where we run."""

    def anchor(path: str) -> str:
        given = Path(path).expanduser()
        if given.is_absolute():
            return str(given)
        beside = folder / given
        return str(beside if beside.exists() else Path.cwd() / given)

    raw = sweep.model_dump(mode="json", exclude_unset=True)
    for source in (raw["data"]["train"], raw["data"].get("test"), raw["data"].get("dev")):
        if isinstance(source, dict):
            path = anchor(source["path"])
            # A data set of the hub has an id, which is no path.
            if source.get("format") != "hf" or Path(path).exists():
                source["path"] = path
    arms = [*raw.get("arms", ()), raw["reference"]]
    models = [*raw["models"], *(a["model"] for a in arms if a.get("model"))]
    for model in models:
        if not model["id"].startswith("package:") and (
            model["id"].startswith((".", "~")) or (folder / model["id"]).exists()
        ):
            model["id"] = anchor(model["id"])
    for arm in arms:
        if isinstance(arm.get("options", {}).get("path"), str):
            arm["options"]["path"] = anchor(arm["options"]["path"])
    return Sweep.model_validate(raw)
