"""A tracker that never holds the sweep up, nor breaks it.

MLflow is called in a thread of its own: the driver does not wait for a slow server, Ctrl-C does
not strike in the midst of a database's transaction (which leaves an SQLite file locked), and where
the server is away the sweep goes on. Nothing is lost by that, because a trial's run is always
brought up to its whole record, and the records are in the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from medsweep.record.records import TrialRecord
from medsweep.tracking._base import Ending, Tracker

PAUSE = 60.0  # seconds between two attempts while nobody answers
# Seconds that a sweep waits for its tracker at the end: the adapter of one that is finished may be
# large, and the line slow; who presses Ctrl-C wants to leave.
LINGER = {"finished": 600.0, "stopped": 30.0, "failed": 30.0}


class BackgroundTracker:
    """Tells ``tracker`` in the background.

    Args:
        tracker: is called from one thread at a time.
        warn: is given one line when the tracker stops answering for the first time.
    """

    def __init__(self, tracker: Tracker, warn: Callable[[str], None]) -> None:
        self._tracker, self._warn = tracker, warn
        self._pending: dict[str, TrialRecord] = {}
        self._finish: Callable[[], bool] | None = None
        self._taken, self._answers, self._warned = False, True, False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="tracker", daemon=True)

    def start(self, name: str, key: str, params: Mapping[str, Any]) -> None:
        """As of the tracker, and waits for it: a sweep with a wrong address should not begin."""
        self._tracker.start(name, key, params)
        self._thread.start()

    def tell(self, record: TrialRecord) -> None:
        """Soon. Of several records of one trial the last is enough."""
        with self._changed:
            self._pending[record.trial.name] = _snapshot(record)
            self._changed.notify()

    def finish(self, records: Iterable[TrialRecord], ending: Ending) -> bool:
        """As of the tracker, once and without another attempt."""
        known = [_snapshot(record) for record in records]
        with self._changed:
            self._finish = lambda: self._tracker.finish(known, ending)
            self._changed.notify()
        self._thread.join(LINGER[ending.status])
        return self._taken

    def _work(self) -> None:
        while (record := self._next()) is not None:
            # Of whatever kind: no failure here may cost the sweep, nor end this thread.
            try:
                self._tracker.tell(record)
                self._answers = True
            except Exception as error:
                self._refused(record, error)
        with suppress(Exception):
            self._taken = self._finish is not None and self._finish()

    def _next(self) -> TrialRecord | None:
        """The next record to tell, waited for; None at the sweep's end."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._finish)
            if not self._answers:
                self._changed.wait_for(lambda: self._finish, PAUSE)
            return None if self._finish else self._pending.pop(next(iter(self._pending)))

    def _refused(self, record: TrialRecord, error: Exception) -> None:
        self._answers = False
        with self._changed:
            # What has come in meanwhile is newer.
            self._pending.setdefault(record.trial.name, record)
        if not self._warned:
            self._warned = True
            with suppress(Exception):
                self._warn(
                    f"note: MLflow does not answer ({type(error).__name__}); the sweep goes on, "
                    "and MLflow is told what it missed when it answers again"
                )


def _snapshot(record: TrialRecord) -> TrialRecord:
    """As it is now; the sweep goes on with its own."""
    return replace(record, evaluations=[*record.evaluations], times=[*record.times])
