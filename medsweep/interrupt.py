"""Ctrl-C and SIGTERM: answered at once, and then an orderly end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def answered_interrupts(answer: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C within the body is answered before it becomes a ``KeyboardInterrupt``.

    What ends in an orderly way takes seconds; who pressed Ctrl-C should know that it was heard.
    SIGTERM, with which clusters' schedulers end a job, is the same. Outside of the main thread,
    which alone gets signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = False

    def interrupt(*_: Any) -> None:
        nonlocal heard
        if not heard:
            heard = True
            # The console may be in the midst of a line, which it cannot be twice.
            with suppress(RuntimeError, OSError):
                answer()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM is as Ctrl-C within the body, whatever a library has made of it meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
