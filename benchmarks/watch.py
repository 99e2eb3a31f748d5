"""Run a command as a user would, and see from outside how long it takes and what memory it has."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

MIB = 1 << 20
COMMAND = "the command"


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
        kinds: the most memory of each kind of process, in bytes.
        at_peak: number and bytes of each kind when all together had the most.
        cpu: seconds of processor time by kind and process, as last seen.
    """

    seconds: float
    peak: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    at_peak: dict[str, tuple[int, int]] = field(default_factory=dict)
    cpu: dict[tuple[str, int], float] = field(default_factory=dict)

    @property
    def driver_peak(self) -> int:
        """The most memory of the process itself, in bytes."""
        return self.kinds.get(COMMAND, 0)

    def see(self, samples: Sequence[Sample]) -> None:
        """Take note of all processes at one moment."""
        now: dict[str, tuple[int, int]] = {}
        for sample in samples:
            number, bytes_ = now.get(sample.kind, (0, 0))
            now[sample.kind] = number + 1, bytes_ + sample.bytes
            self.cpu[sample.kind, sample.pid] = sample.cpu
        for kind, (_, bytes_) in now.items():
            self.kinds[kind] = max(self.kinds.get(kind, 0), bytes_)
        total = sum(bytes_ for _, bytes_ in now.values())
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
            kind = COMMAND if process is root else _kind(process.cmdline())
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
