"""Where progress is shown: a spinner in a terminal, plain lines in a pipe or a log file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.status import Status

# Seconds between two lines in a pipe: half a minute, less what a busy machine may be late.
PERIOD = 25.0


class ProgressConsole(Console):
    """Standard error; :meth:`status` says what is being done, whoever reads it.

    Args:
        quiet: say nothing at all.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(stderr=True, quiet=quiet, highlight=False)

    @property
    def plain(self) -> bool:
        """Whether nothing may move: a pipe, a log file, a terminal that cannot."""
        return not self.is_terminal or self.is_dumb_terminal

    def status(self, status: RenderableType, **style: Any) -> Status:
        """Say what is being done while the body runs; ``update`` says what comes next."""
        return PlainStatus(status, console=self) if self.plain else super().status(status, **style)

    def say(self, text: str) -> None:
        """One line as it is: not wrapped, no markup."""
        self.print(text, markup=False, highlight=False, soft_wrap=True)


class PlainStatus(Status):
    """A line when something begins, and one every half minute while it goes on."""

    def __init__(self, status: RenderableType, *, console: Console) -> None:
        super().__init__(status, console=console)
        self._console, self._said, self._began = console, "", 0.0
        self._beat = Heartbeat(self._still)

    def start(self) -> None:
        """Say what begins."""
        self._say(str(self.status))
        self._beat.start()

    def stop(self) -> None:
        """What comes next says that this is over."""
        self._beat.stop()

    def update(self, status: RenderableType | None = None, **_: Any) -> None:
        """Say what comes next."""
        if status is not None and str(status) != self._said:
            self._say(str(status))
            self._beat.postpone()

    def _say(self, text: str) -> None:
        self._said, self._began = text, time.monotonic()
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _still(self) -> None:
        seconds = round(time.monotonic() - self._began)
        text = f"{self._said}: {seconds} s so far"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class Heartbeat:
    """Calls ``beat`` every ``period`` seconds in a thread of its own, from start to stop."""

    def __init__(self, beat: Callable[[], None], period: float = PERIOD) -> None:
        self._beat, self._period = beat, period
        self._changed = threading.Condition()
        self._next = float("inf")
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Beat a period from now for the first time."""
        if self._thread is None:
            self._next = time.monotonic() + self._period
            self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
            self._thread.start()

    def postpone(self) -> None:
        """Beat a period from now."""
        with self._changed:
            self._next = time.monotonic() + self._period
            self._changed.notify()

    def stop(self) -> None:
        """No beat comes after this."""
        thread, self._thread = self._thread, None
        if thread is not None:
            with self._changed:
                self._next = -1.0
                self._changed.notify()
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while (left := self._next - time.monotonic()) > 0:
                    self._changed.wait(left)
                if self._next < 0:
                    return
                self._next = time.monotonic() + self._period
            self._beat()


@contextmanager
def beating(beat: Callable[[], None], period: float = PERIOD) -> Iterator[None]:
    """Call ``beat`` every ``period`` seconds while the body runs."""
    heart = Heartbeat(beat, period)
    heart.start()
    try:
        yield
    finally:
        heart.stop()
