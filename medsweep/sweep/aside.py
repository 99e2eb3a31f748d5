"""Work that goes on in a thread while the sweep does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Aside(Generic[Value]):
    """Calls ``work`` in a thread of its own, at once.

    For what mostly waits or is imported: Python's threads share one processor.
    """

    def __init__(self, work: Callable[[], Value]) -> None:
        self._work = work
        self._value: Value | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> Value:
        """What ``work`` gave, waited for; what it raised is raised here, each time."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value] # it has ended, and without an error

    def value(self, seconds: float) -> Value | None:
        """What ``work`` gave; None where it failed, or takes longer than this."""
        self._thread.join(seconds)
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error
