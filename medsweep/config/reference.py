"""What every key of a sweep file means, from the models themselves: help and a page of the docs."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel

from medsweep.arms import ARMS
from medsweep.config.models import Sweep
from medsweep.corpus.readers import known
from medsweep.errors import ConfigError, suggestion
from medsweep.stats.metrics import METRICS
from medsweep.training.recipe import Recipe

Schema = Mapping[str, Any]
# Sections whose keys are those of data.train, search and models.
EXPLAINED_ELSEWHERE = ("data.test", "models.search", "reference.model", "arms.model")
# Values that models leave to a later check.
LISTED = {
    "task.metric": "; ".join(f"{kind}: {', '.join(names)}" for kind, names in METRICS.items()),
    "data.train.format": known(),
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a sweep file, or a section of keys.

    Attributes:
        path: dotted, as for ``--set``; items of lists without their numbers.
        meaning: sentences; what stands in brackets holds where the key is left out.
        values: what may stand there, in words; empty for a section.
        default: in YAML; empty where there is none to show.
        required: whether it must be there.
        section: whether it holds keys.
    """

    path: str
    meaning: str
    values: str = ""
    default: str = ""
    required: bool = False
    section: bool = False


def all_keys() -> list[Key]:
    """Every key of a sweep file, each behind the section it belongs to."""
    keys = [*_keys_of(Sweep, "")]
    at = 1 + max(n for n, key in enumerate(keys) if key.path.startswith("arms."))
    return [*keys[:at], *_options(), *keys[at:]]


def keys_at(path: str) -> list[Key]:
    """The key ``path``, and the keys directly below it; the top-level ones for an empty path.

    Raises:
        ConfigError: no such key.
    """
    keys = all_keys()
    below = _below(keys, path)
    own = [k for k in keys if k.path == path]
    if not own and not below:
        ends = [k.path for k in keys if k.path.endswith(f".{path}")]
        near = f"did you mean {ends[-1]}?" if ends else suggestion(path, [k.path for k in keys])
        raise ConfigError("no such key", where=path, fix=near or "`medsweep explain` lists them")
    return own + below


def _below(keys: Iterable[Key], path: str) -> list[Key]:
    """The keys directly below ``path``; the top-level ones below an empty one."""
    return [k for k in keys if k.path.rpartition(".")[0] == path]


def _keys_of(model: type[BaseModel], prefix: str) -> Iterator[Key]:
    schema = model.model_json_schema()
    yield from _walk(schema, schema.get("$defs", {}), prefix)


def _walk(schema: Schema, definitions: Schema, prefix: str) -> Iterator[Key]:
    recipe = attributes_of(Recipe)
    for name, field in schema["properties"].items():
        path = f"{prefix}{name}"
        section = _section(field, definitions)
        # Where a key and its section say the same, pydantic says it once.
        meaning = field.get("description", (section or {}).get("description", ""))
        default = field.get("default")
        if prefix == "training.":
            default, meaning = getattr(Recipe(), name), recipe[name]
        yield Key(
            path,
            " ".join(meaning.split()),
            LISTED.get(path) or _values(field, definitions),
            "" if section else _yaml(default),
            required=name in schema.get("required", ()),
            section=section is not None,
        )
        if section and path not in EXPLAINED_ELSEWHERE:
            yield from _walk(section, definitions, f"{path}.")


def attributes_of(documented: type) -> dict[str, str]:
    """What a class says of its attributes, as sentences by name."""
    docstring = inspect.getdoc(documented) or ""
    lines = textwrap.dedent(docstring.partition("Attributes:\n")[2].partition("\n\n")[0])
    parts = re.findall(r"^(\w+): (.*(?:\n +.*)*)", lines, re.MULTILINE)
    return {name: f"{text[0].upper()}{text[1:]}".replace("``", "`") for name, text in parts}


def _options() -> Iterator[Key]:
    for name, arm in ARMS.items():
        if arm.options.model_fields:
            about = " ".join((arm.options.__doc__ or "").split())
            path = f"arms.options.{name}"
            yield Key(path, about, section=True)
            yield from _keys_of(arm.options, f"{path}.")


def _section(field: Schema, definitions: Schema) -> Schema | None:
    """The section that a field holds, by itself, in a list, or as one of several forms."""
    for form in [field, field.get("items", {}), *field.get("anyOf", ())]:
        name = form.get("$ref", "").rpartition("/")[2]
        if name and name != "Range" and "properties" in definitions[name]:
            found: Schema = definitions[name]
            return found
    return None


def _values(field: Schema, definitions: Schema) -> str:
    """What may stand there, in words."""
    if "anyOf" in field:
        forms = [_values(form, definitions) for form in field["anyOf"]]
        return " or ".join(form for form in forms if form != "null")
    if "$ref" in field:
        definition = definitions[field["$ref"].rpartition("/")[2]]
        if "properties" in definition:
            return "{" + ", ".join(definition["properties"]) + "}"
        return _values(definition, definitions)
    if "enum" in field or "const" in field:
        return ", ".join(field.get("enum", [field.get("const")]))
    kind = field.get("type", "any")
    if kind == "array":
        return f"list of {_values(field['items'], definitions)}"
    if kind == "object":
        return "mapping"
    return " ".join(filter(None, [{"boolean": "true, false"}.get(kind, kind), _bounds(field)]))


def _bounds(field: Schema) -> str:
    words = {
        "minimum": "from",
        "exclusiveMinimum": "above",
        "maximum": "to",
        "exclusiveMaximum": "below",
    }
    return " ".join(f"{word} {field[name]:g}" for name, word in words.items() if name in field)


def _yaml(value: Any) -> str:
    if value in (None, {}, [], ""):
        return ""
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False).strip()
    return text.removesuffix("\n...").removesuffix("...").strip()


def as_text(keys: Iterable[Key]) -> str:
    """For a terminal: a key with its default, what may stand there, and what it means."""
    lines = []
    for key in keys:
        lines.append(f"{key.path}: {key.default}" if key.default else f"{key.path}:")
        values = f"{key.values} (required)" if key.required else key.values
        lines += [f"    {values}"] if values else []
        lines += textwrap.wrap(
            key.meaning, 96, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        )
    return "\n".join(lines)


def as_markdown() -> str:
    """Every key of a sweep file, a table a section."""
    keys = all_keys()
    lines = [PREFACE]
    for section in [None, *(k for k in keys if k.section)]:
        path = section.path if section else ""
        below = _below(keys, path)
        if not below or path == "arms.options":
            continue
        if section:
            lines += ["", f"## {path}", "", section.meaning]
        lines += ["", "| key | values | default | |", "|---|---|---|---|"]
        lines += [
            f"| `{k.path.rpartition('.')[2]}` | {_cell(k.values)} "
            f"| {'required' if k.required else f'`{k.default}`' if k.default else ''} "
            f"| {_cell(k.meaning)} |"
            for k in below
        ]
    return "\n".join(lines)


PREFACE = """# The sweep file

Every key, its values and its default, as `medsweep explain --markdown` prints them; `medsweep
explain KEY` says one. What stands in brackets holds where a key is left out. A plain string is
enough for a corpus (its path), a model (its id), a task (its kind) and an arm (its name);
`--set PATH.TO.KEY=VALUE` changes any of them, items of lists by number
(`--set models.0.devices=2`)."""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
