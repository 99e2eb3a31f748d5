"""Pattern files: YAML, checked before anything runs.

Classification::

    default: UNKNOWN            # where no rule fits
    rules:                      # in order; the first that fits a sentence decides
      - {label: NON-SMOKER, pattern: 'never smoked', unless: 'mother|father'}

Multi-label: the same without ``default``; every rule that fits adds its label.

NER::

    rules:
      - {type: Dose, pattern: '\\b\\d+ ?mg\\b'}      # or a group (?P<mention>…)

Patterns are Python's, case does not matter, and ``unless`` looks at the sentence of the match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Private, and the only reading of a pattern that agrees with the engine about its structure.
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

import yaml

from medsweep.errors import ConfigError, suggestion
from medsweep.tasks import TaskKind

SMOKING = Path(__file__).with_name("smoking.yaml")
SMOKING_LABELS = frozenset({"PAST SMOKER", "CURRENT SMOKER", "SMOKER", "NON-SMOKER", "UNKNOWN"})
_LONGEST = 2000
_MANY = 20


@dataclass(frozen=True, slots=True)
class Rule:
    """``pattern`` means ``label``, unless the same sentence also matches ``unless``."""

    label: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class RuleFile:
    """Rules in order, and the class of a document that none fits."""

    rules: tuple[Rule, ...]
    default: str | None


def load_rules(path: Path | None, kind: TaskKind, labels: Sequence[str] | None) -> RuleFile:
    """Read a pattern file; without one, the smoking rules where the labels are theirs.

    Args:
        path: YAML.
        kind: the task's.
        labels: classes or entity types; None where they are not known yet.

    Raises:
        ConfigError: with the file and the place in it.
    """
    if path is None:
        if kind != "classification" or (
            labels is not None and not SMOKING_LABELS.issuperset(labels)
        ):
            raise ConfigError(
                "no rules are shipped for these labels",
                where="arms.rules.options",
                fix="give options.path, a YAML file of patterns",
            )
        path, labels = SMOKING, tuple(SMOKING_LABELS)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigError("cannot be read", where=str(path), fix="correct options.path") from None
    except (yaml.YAMLError, UnicodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError("not YAML", where=where, fix="quote patterns with '…'") from None
    return _parse(raw, str(path), kind, labels)


def _parse(raw: Any, where: str, kind: TaskKind, labels: Sequence[str] | None) -> RuleFile:
    name = "type" if kind == "ner" else "label"
    _only(raw, {"rules", "default"} if kind == "classification" else {"rules"}, where)
    entries = raw.get("rules")
    if not isinstance(entries, list) or not entries:
        raise ConfigError("no list of rules", where=where, fix="add rules: [{…}]")
    rules = []
    for number, entry in enumerate(entries):
        place = f"{where}: rules[{number}]"
        _only(entry, {name, "pattern", "unless"}, place)
        if name not in entry or "pattern" not in entry:
            raise ConfigError(f"needs {name} and pattern", where=place, fix="add what is missing")
        _known(str(entry[name]), labels, f"{place}.{name}")
        unless = entry.get("unless")
        rules.append(
            Rule(
                str(entry[name]),
                _compiled(entry["pattern"], f"{place}.pattern"),
                None if unless is None else _compiled(unless, f"{place}.unless"),
            )
        )
    default = raw.get("default")
    if kind == "classification":
        if default is None:
            raise ConfigError("no default", where=where, fix="add default: <label>")
        _known(str(default), labels, f"{where}: default")
    return RuleFile(tuple(rules), None if default is None else str(default))


def _only(value: Any, keys: set[str], where: str) -> None:
    if not isinstance(value, dict):
        raise ConfigError("not a mapping", where=where, fix=f"write {', '.join(sorted(keys))}")
    for key in value:
        if key not in keys:
            fix = suggestion(str(key), sorted(keys)) or f"known: {', '.join(sorted(keys))}"
            raise ConfigError(f"unknown key {key!r}", where=where, fix=fix)


def _known(label: str, labels: Sequence[str] | None, where: str) -> None:
    if labels is not None and label not in labels:
        fix = suggestion(label, labels) or f"known: {', '.join(sorted(labels))}"
        raise ConfigError(f"no label {label!r} in the documents", where=where, fix=fix)


def _compiled(pattern: Any, where: str) -> re.Pattern[str]:
    if not isinstance(pattern, str) or not pattern or len(pattern) > _LONGEST:
        raise ConfigError(
            f"not a pattern of 1 to {_LONGEST} characters", where=where, fix="quote it with '…'"
        )
    try:
        tree = _parser.parse(pattern, re.IGNORECASE)
        compiled = re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        at = getattr(error, "pos", None)
        problem = getattr(error, "msg", "cannot be compiled")
        raise ConfigError(
            f"bad pattern ({problem}{'' if at is None else f' at character {at + 1}'})",
            where=where,
            fix="correct it",
        ) from None
    if _explosive(tree, repeated=False):
        raise ConfigError(
            "a repetition inside of a repetition can take exponential time",
            where=where,
            fix="write one repetition, such as [a-z ]+ for ([a-z]+ ?)+",
        )
    return compiled


def _explosive(node: Any, *, repeated: bool) -> bool:
    """Whether a long repetition holds a long repetition: the usual cause of runaway matching.

    Overlapping alternatives, as in ``(a|aa)+``, are not found.
    """
    repeats = {_constants.MAX_REPEAT, _constants.MIN_REPEAT}
    for operation, argument in node:
        if operation in repeats:
            _, high, inner = argument
            many = high == _constants.MAXREPEAT or high > _MANY
            if (many and repeated) or _explosive(inner, repeated=repeated or many):
                return True
        elif any(_explosive(part, repeated=repeated) for part in _parts(argument)):
            return True
    return False


def _parts(argument: Any) -> Iterable[Any]:
    """The patterns inside of an operation's argument, however deep it keeps them."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, (tuple, list)):
        for value in argument:
            yield from _parts(value)
