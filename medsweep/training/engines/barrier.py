"""A barrier at which threads wait for their trials' results, and one of them computes for all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

Result = TypeVar("Result")


class StepBarrier(Generic[Result]):
    """Callers wait for their trial's result; the first to come leads and steps all that wait.

    As at a ``threading.Barrier`` one caller acts for all, but a step begins without those that
    are late: who comes while it runs takes part in the next one. There is no thread of its own:
    an engine that nobody calls does nothing, and an error ends in a caller.

    Args:
        step: advances the given trials together by one step, and gives the results of those
            that have reached theirs; an exception as a result is raised in its caller.
        parties: how many trials could come.
        timeout: seconds that a new leader waits for them. A trial that is back within it
            shares its first step.
    """

    def __init__(
        self,
        step: Callable[[Sequence[str]], Mapping[str, Result | Exception]],
        parties: Callable[[], int],
        timeout: float = 0.02,
    ) -> None:
        self._step, self._parties, self._timeout = step, parties, timeout
        self._changed = threading.Condition()
        self._waiting: dict[str, None] = {}
        self._results: dict[str, Result | Exception] = {}
        self._pauses = 0
        self._leading = self._stepping = False

    def wait(self, trial: str) -> Result:
        """Wait until ``trial`` has its result, stepping all waiting trials if nobody else does."""
        with self._changed:
            self._waiting[trial] = None
            self._changed.notify_all()
        try:
            return self._outcome(trial)
        finally:
            with self._changed:
                self._waiting.pop(trial, None)

    def cancel(self, trial: str, error: Exception) -> None:
        """End the waiting for ``trial``, if anybody does, with ``error``."""
        with self._changed:
            if trial in self._waiting and trial not in self._results:
                self._results[trial] = error
            self._waiting.pop(trial, None)
            self._changed.notify_all()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within the body, no step runs; the next one waits for the body to end."""
        with self._changed:
            self._pauses += 1
            try:
                self._changed.wait_for(lambda: not self._stepping)
                yield
            finally:
                self._pauses -= 1
                self._changed.notify_all()

    def _outcome(self, trial: str) -> Result:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: trial in self._results or not self._leading)
                if trial in self._results:
                    result = self._results.pop(trial)
                    if isinstance(result, Exception):
                        raise result
                    return result
                self._leading = True
            try:
                self._lead(trial)
            finally:
                with self._changed:
                    self._leading = False
                    self._changed.notify_all()

    def _lead(self, trial: str) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._waiting) >= self._parties(), timeout=self._timeout
            )
        while True:
            with self._changed:
                # Who attaches or detaches goes first, else a busy engine never lets them in.
                self._changed.wait_for(lambda: not self._pauses)
                if trial in self._results:
                    return
                members = tuple(self._waiting)
                self._stepping = True
            try:
                results = self._step(members)
            finally:
                with self._changed:
                    self._stepping = False
                    self._changed.notify_all()
            self._publish(results)

    def _publish(self, results: Mapping[str, Result | Exception]) -> None:
        with self._changed:
            for trial, result in results.items():
                if self._waiting.pop(trial, "gone") != "gone":
                    self._results[trial] = result
            self._changed.notify_all()
