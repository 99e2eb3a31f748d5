"""Run a command as a user would, and see from outside how long it takes and what memory it has."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment: what it is, its memory, its processor time so far."""

    kind: str
    pid: int
    bytes: int
    cpu: float


@dataclass(slots=True)
class Watched:
    """What a command cost.

    Attributes:
        seconds: from its start to its end, imports included.
        peak: the most memory of all its processes together, in bytes.
        driver_peak: the most memory of the process itself.
        kinds: the most memory of each kind of process, in bytes.
        at_peak: number and bytes of each kind when all together had the most.
        cpu: seconds of processor time by kind and process, as last seen.
    """

    seconds: float
    peak: int = 0
    driver_peak: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    at_peak: dict[str, tuple[int, int]] = field(default_factory=dict)
    cpu: dict[tuple[str, int], float] = field(default_factory=dict)

    def see(self, seen: Sequence[Sample]) -> None:
        """Take note of one sample of every process, the command's own first."""
        if not seen:
            return
        sizes = [(s.kind, s.bytes) for s in seen]
        now: dict[str, tuple[int, int]] = {}
        for kind, size in sizes:
            number, bytes_ = now.get(kind, (0, 0))
            now[kind] = number + 1, bytes_ + size
        self.cpu |= {(s.kind, s.pid): s.cpu for s in seen}
        for kind, (_, bytes_) in now.items():
            self.kinds[kind] = max(self.kinds.get(kind, 0), bytes_)
        self.driver_peak = max(self.driver_peak, sizes[0][1])
        total = sum(size for _, size in sizes)
        if total > self.peak:
            self.peak, self.at_peak = total, now


def watch(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    every: float = 1.0,
    folder: Path | None = None,
) -> Watched:
    """Run ``command`` in ``folder`` to its end; its words go to ``log``.

    Raises:
        SystemExit: it failed; with the end of its log.
    """
    cost = Watched(0.0)
    began = time.perf_counter()
    with log.open("wb") as words:
        process = subprocess.Popen(
            command, stdout=words, stderr=subprocess.STDOUT, env=dict(environment), cwd=folder
        )
        try:
            while not _ends(process, every):
                cost.see(look(process.pid))
            cost.seconds = time.perf_counter() - began
        finally:
            process.terminate()
            process.wait()
    if process.returncode:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}\n{end}")
    return cost


def _ends(process: subprocess.Popen[bytes], within: float) -> bool:
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True


def look(pid: int) -> list[Sample]:
    """A process, and all that it started.

    Shared pages count by their share (PSS), so that a sum over processes counts them once.
    """
    found = []
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.Error:
        return []
    for process in tree:
        try:
            times = process.cpu_times()
            kind = "the command" if process is root else _kind(process.cmdline())
            size = _share(process.pid)
        except (psutil.Error, OSError):  # it has just ended
            continue
        found.append(Sample(kind, process.pid, size, times.user + times.system))
    return found


def _share(pid: int) -> int:
    """Linux adds up what psutil would read mapping by mapping, which disturbs the measured."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes << 10


def _kind(command: Sequence[str]) -> str:
    # Ray's workers are titled by what they run, such as ray::Host.advance.
    if command and command[0].startswith("ray::"):
        return command[0].split(".")[0].split("(")[0]
    return "Ray's own" if "ray" in " ".join(command[:3]) else "others"
