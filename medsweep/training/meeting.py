"""Where threads that each wait for one slot meet, and one of them computes for all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Meeting(Generic[Result]):
    """Callers wait for their slot's result; the first to come leads and steps all that wait.

    There is no thread of its own: an engine that nobody calls does nothing, and an error ends
    in a caller. Who joins while a step runs takes part in the next one.

    Args:
        step: advances the given slots together by one step, and gives the results of those
            that have reached theirs; an exception as a result is raised in its caller.
        expected: how many slots could come.
        patience: seconds that a new leader waits for them. A trial that is back within it
            shares its first step; later ones join at the next.
    """

    def __init__(
        self,
        step: Callable[[Sequence[str]], Mapping[str, Result | Exception]],
        expected: Callable[[], int],
        patience: float = 0.02,
    ) -> None:
        self._step, self._expected, self._patience = step, expected, patience
        self._changed = threading.Condition()
        self._waiting: dict[str, None] = {}
        self._results: dict[str, Result | Exception] = {}
        self._visitors = 0
        self._leading = self._stepping = False

    def join(self, slot: str) -> Result:
        """Wait until ``slot`` has its result, stepping all waiting slots if nobody else does."""
        with self._changed:
            self._waiting[slot] = None
            self._changed.notify_all()
        try:
            return self._outcome(slot)
        finally:
            with self._changed:
                self._waiting.pop(slot, None)

    def leave(self, slot: str, reason: Exception) -> None:
        """End the waiting for ``slot``, if anybody does, with ``reason``."""
        with self._changed:
            if slot in self._waiting and slot not in self._results:
                self._results[slot] = reason
            self._waiting.pop(slot, None)
            self._changed.notify_all()

    @contextmanager
    def between_steps(self) -> Iterator[None]:
        """Within the body, no step runs; the next one waits for the body to end."""
        with self._changed:
            self._visitors += 1
            try:
                self._changed.wait_for(lambda: not self._stepping)
                yield
            finally:
                self._visitors -= 1
                self._changed.notify_all()

    def _outcome(self, slot: str) -> Result:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: slot in self._results or not self._leading)
                if slot in self._results:
                    result = self._results.pop(slot)
                    if isinstance(result, Exception):
                        raise result
                    return result
                self._leading = True
            try:
                self._lead(slot)
            finally:
                with self._changed:
                    self._leading = False
                    self._changed.notify_all()

    def _lead(self, slot: str) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._waiting) >= self._expected(), timeout=self._patience
            )
        while True:
            with self._changed:
                # Who attaches or detaches goes first, else a busy engine never lets them in.
                self._changed.wait_for(lambda: not self._visitors)
                if slot in self._results:
                    return
                group = tuple(self._waiting)
                self._stepping = True
            try:
                done = self._step(group)
            finally:
                with self._changed:
                    self._stepping = False
                    self._changed.notify_all()
            self._publish(done)

    def _publish(self, done: Mapping[str, Result | Exception]) -> None:
        with self._changed:
            for slot, result in done.items():
                if self._waiting.pop(slot, "gone") != "gone":
                    self._results[slot] = result
            self._changed.notify_all()
