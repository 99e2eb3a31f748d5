"""The sweep's memory: an append-only file of events, from which a killed sweep goes on.

One JSON object a line, flushed to disk before the sweep acts on it. Tune's own restore is not
used: it rebuilds the scheduler as it was at the start, which loses the scores of every level, and
tells Optuna that stopped trials were complete.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from medsweep.errors import ConfigError, RunError


class Journal:
    """Appends events to ``path``; only one process at a time may hold it.

    Raises:
        ConfigError: another process is running this sweep.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        # Unbuffered: what could not be written must not be written later.
        self._file = path.open("ab", buffering=0)
        if not self._lock():
            self._file.close()
            raise ConfigError(
                "another process is running this sweep",
                where=str(path.parent.parent),
                fix="wait for it, or stop it first",
            )
        self._drop_torn_line()

    def _lock(self) -> bool:
        # More than once, because `status` holds the lock for a moment to see whether it is free.
        for _ in range(5):
            with suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(0.05)
        return False

    def append(self, event: str, **fields: Any) -> dict[str, Any]:
        """Write one event, wait until it is on disk, and give it back as it will be read.

        Raises:
            RunError: the disk is full or gone.
        """
        written: dict[str, Any] = {"event": event, "time": round(time.time(), 3), **fields}
        line = json.dumps(written).encode() + b"\n"
        size = os.fstat(self._file.fileno()).st_size
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(size)
            raise RunError(
                f"{self._path}: cannot be written ({error.strerror}); "
                "free some space, then `medsweep resume`"
            ) from None
        return written

    def clear(self) -> None:
        """Forget everything."""
        self._file.truncate(0)

    def close(self) -> None:
        """Let another process have it."""
        self._file.close()

    def _drop_torn_line(self) -> None:
        """A process killed while writing leaves half a line: it never happened."""
        data = self._path.read_bytes()
        if data and not data.endswith(b"\n"):
            os.truncate(self._path, data.rfind(b"\n") + 1)


def is_held(path: Path) -> bool:
    """Whether a process is running this sweep now, on this machine or another."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The events so far; a torn last line is left out.

    Raises:
        ConfigError: there is no journal, or a line in its middle is damaged.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        raise ConfigError(
            "holds no sweep", where=str(path.parent.parent), fix="name the folder given to --out"
        ) from None
    for number, line in enumerate(lines[:-1], start=1):
        try:
            yield json.loads(line)
        except ValueError:
            raise ConfigError(
                "damaged line", where=f"{path}:{number}", fix="restore the file from a backup"
            ) from None
