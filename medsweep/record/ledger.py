"""How often a test set has been judged: digests in the user's own state folder.

A test set that has judged once is no longer unseen: whoever has read a verdict may choose by it.
The ledger cannot forbid that; it counts. It holds digests, ids of sweeps and times: no text, no ids
of documents, no labels, and no names.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

NAME = "judged.jsonl"
WAIT = 10.0  # seconds for another process that is writing


@dataclass(frozen=True, slots=True)
class Judgement:
    """One verdict among those on the same test documents.

    Attributes:
        sweep: id of the sweep, or of what was decided otherwise.
        number: which verdict on these documents it is, from 1; None where nobody knows.
        earlier: ids of those before it.
        problem: why nobody knows.
    """

    sweep: str
    number: int | None
    earlier: tuple[str, ...] = ()
    problem: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As ``verdict.json`` has it."""
        return {**asdict(self), "earlier": list(self.earlier)}


def state_folder() -> Path:
    """``$XDG_STATE_HOME/medsweep``, or ``~/.local/state/medsweep`` where that is not absolute."""
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".local" / "state") / "medsweep"


def enter_verdict(test_set: str, sweep: str) -> Judgement:
    """Write down that ``sweep`` judges a test set, unless that is known, and count.

    A ledger that cannot be read or written costs the count, never the verdict.

    Args:
        test_set: digest of its ids and gold.
        sweep: id; the same one is not counted again.
    """
    try:
        folder = state_folder()
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        path = folder / NAME
        with FileLock(path.with_suffix(".lock"), timeout=WAIT, mode=0o600):
            sweeps = _sweeps_of(path, test_set)
            if sweep not in sweeps:
                _append(path, {"test_set": test_set, "sweep": sweep, "time": round(time.time())})
    except Timeout:
        return Judgement(sweep, None, problem="another process holds it")
    except (OSError, RuntimeError) as error:
        # RuntimeError: there is no home folder.
        said = getattr(error, "strerror", None) or type(error).__name__
        return Judgement(sweep, None, problem=str(said))
    earlier = tuple(sweeps[: sweeps.index(sweep)] if sweep in sweeps else sweeps)
    return Judgement(sweep, len(earlier) + 1, earlier)


def _sweeps_of(path: Path, test_set: str) -> list[str]:
    """Ids of the sweeps that judged it, in order; lines that nobody can read are passed over."""
    sweeps: dict[str, None] = {}
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            entry = json.loads(line)
            if entry["test_set"] == test_set:
                sweeps[str(entry["sweep"])] = None
        except (ValueError, KeyError, TypeError):
            continue
    return list(sweeps)


def _append(path: Path, entry: dict[str, Any]) -> None:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.fchmod(file, 0o600)
        size = os.fstat(file).st_size
        # A line that was cut off stays a line of its own.
        torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        os.write(file, b"\n" * torn + json.dumps(entry).encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)
