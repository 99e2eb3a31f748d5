"""Errors that reach a person, and the exit codes they turn into.

Two families, and nothing between them: an :class:`InputError` means that what the user
handed in cannot be used, and says where and what to do; a :class:`RunError` means that the
input was fine and the run failed. A failed *trial* is neither: it is recorded and the sweep
goes on.

No message ever holds text of a document: name the file, the line and the document's id.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
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
