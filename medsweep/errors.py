"""Errors that reach a person, and the exit codes they turn into.

Two families, and nothing between them: an :class:`InputError` means that what the user
handed in cannot be used, and says where and what to do; a :class:`RunError` means that the
input was fine and the run failed. A failed *trial* is neither: it is recorded and the sweep
goes on.

No message ever holds text of a document: name the file, the line and the document's id.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """What the ``medsweep`` command returns to the shell."""

    DONE = 0
    BAD_INPUT = 2
    RUN_FAILED = 3
    INTERRUPTED = 130


class MedsweepError(Exception):
    """Base of every error that medsweep raises on purpose."""

    exit_code = ExitCode.RUN_FAILED


class InputError(MedsweepError):
    """What the user handed in cannot be used.

    Args:
        problem: what is wrong, without a final full stop.
        where: file and place, such as ``notes.jsonl:17`` or ``sweep.yaml: search.rank``.
        fix: what to do about it, as an instruction.

    The message is one line: ``where: problem; fix``.
    """

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, problem: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.problem, self.where, self.fix = problem, where, fix
        line = f"{where}: {problem}" if where else problem
        super().__init__(" ".join(f"{line}; {fix}".split()) if fix else " ".join(line.split()))

    # An exception crosses process borders by pickling its arguments, which are keywords here.
    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.problem, self.where, self.fix))


def _rebuild(
    kind: type[InputError], problem: str, where: str | None, fix: str | None
) -> InputError:
    return kind(problem, where=where, fix=fix)


class ConfigError(InputError):
    """The sweep file or an option of the command cannot be used."""


class DataError(InputError):
    """A corpus cannot be read, or cannot carry the sweep that was asked for."""


class ModelError(InputError):
    """A model cannot be found, converted or adapted."""


class InputErrors(MedsweepError):
    """Several problems of one input, reported together, one line each."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, problems: Iterable[InputError]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class RunError(MedsweepError):
    """The input was fine and the run failed; the message says what to do next."""


class Interrupted(MedsweepError):
    """The user stopped the run; what is finished is kept and ``resume`` goes on."""

    exit_code = ExitCode.INTERRUPTED


def suggestion(word: str, known: Sequence[str]) -> str | None:
    """A fix for a name that nothing has: the closest of ``known``; None where none is close."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else None


def raise_all(problems: Sequence[InputError]) -> None:
    """Raise what was found: one problem as itself, several together; nothing where there is none.

    Raises:
        InputError, InputErrors: as said.
    """
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise InputErrors(problems)


_NOUNS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping of keys",
    "model": "a mapping of keys",
    "path": "a path",
}
_FORM = re.compile(r"([a-z]+)_(?:type|parsing|from_float|parsing_size|attributes_type)")
_LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}


def in_words(
    kind: str, message: str, context: Mapping[str, object], given: object
) -> tuple[str, str]:
    """A validator's finding as problem and fix.

    Args:
        kind: pydantic's name of it, such as ``int_parsing``.
        message: its own words, for kinds that have no others here.
        context: the limits that were missed.
        given: the value.
    """
    if kind in _LIMITS:
        words, key = _LIMITS[kind]
        return f"must be {words} {context[key]}, not {_shown(given)}", "correct the value"
    if kind == "finite_number":
        return f"must be a finite number, not {_shown(given)}", "correct the value"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty", "give a value, or leave the key out"
    if (form := _FORM.fullmatch(kind)) and (noun := _NOUNS.get(form.group(1))):
        return f"must be {noun}, not {_shown(given)}", _quoted(given, noun)
    return message[:1].lower() + message[1:], "correct it"


def _quoted(given: object, noun: str) -> str:
    if noun != "text":
        return f"write {noun}"
    if isinstance(given, bool):
        return "quote it: yes, no, on and off are truth values without quotes"
    return "quote it" if isinstance(given, (int, float)) else f"write {noun}"


def _shown(given: object) -> str:
    if given is None:
        return "empty"
    if isinstance(given, bool):
        return "a truth value"
    if isinstance(given, Mapping):
        return "a mapping"
    if isinstance(given, (list, tuple)):
        return "a list"
    text = repr(given)
    return text if len(text) <= 40 else f"{text[:40]}…"
