"""Run a command as a user would, and see from outside how long it takes and what memory it has."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Watched:
    """What a command cost.

    Attributes:
        seconds: from its start to its end, imports included.
        peak: the most memory of all its processes together, in bytes.
        driver_peak: the most memory of the process itself.
    """

    seconds: float
    peak: int
    driver_peak: int


def watch(
    command: Sequence[str], log: Path, environment: Mapping[str, str], every: float = 1.0
) -> Watched:
    """Run ``command`` to its end; its words go to ``log``.

    Raises:
        SystemExit: it failed; with the end of its log.
    """
    peak = driver_peak = 0
    began = time.perf_counter()
    with log.open("wb") as words:
        process = subprocess.Popen(
            command, stdout=words, stderr=subprocess.STDOUT, env=dict(environment)
        )
        try:
            seconds = _wait(process, began, every)
            while seconds is None:
                own, all_ = memory(process.pid)
                peak, driver_peak = max(peak, all_), max(driver_peak, own)
                seconds = _wait(process, began, every)
        finally:
            process.terminate()
            process.wait()
    if process.returncode:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}\n{end}")
    return Watched(seconds, peak, driver_peak)


def _wait(process: subprocess.Popen[bytes], began: float, limit: float) -> float | None:
    """Seconds since ``began`` if the process ends within ``limit``."""
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    return time.perf_counter() - began


def memory(pid: int) -> tuple[int, int]:
    """Bytes of a process, and of it with all that it started.

    Shared pages count by their share (PSS), so that a sum over processes counts them once; where
    the system does not know that, pages of a process alone (USS).
    """
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0, 0
    sizes = [_size(process) for process in tree]
    return sizes[0], sum(sizes)


def _size(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
    except psutil.Error:  # it has just ended
        return 0
    return int(getattr(full, "pss", 0) or full.uss)
