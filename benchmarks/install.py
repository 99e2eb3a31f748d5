"""What installing fetches and takes: `make venv` into a fresh environment, without pip's cache.

    python benchmarks/install.py                    # the default build of PyTorch
    python benchmarks/install.py --torch torch.whl  # TORCH= of the Makefile

The sizes are those that pip prints; a wheel that lies on this machine is counted, too.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNITS = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
FETCHED = re.compile(r"(?:Downloading|Processing) (\S+\.whl)(?: \(([\d.]+) (bytes|kB|MB|GB)\))?")
PYTORCH = re.compile(r"(torch|triton|nvidia|cuda)[-_]")


def main() -> None:
    """Install, show pip's output, print one row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch", help="TORCH= of the Makefile")
    parser.add_argument("--python", help="PYTHON= of the Makefile")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".venv-") as scratch:
        settings = [f"VENV={Path(scratch) / 'venv'}"]
        settings += [f"TORCH={chosen.torch}"] if chosen.torch else []
        settings += [f"PYTHON={chosen.python}"] if chosen.python else []
        began = time.monotonic()
        log = show(["make", "-C", str(ROOT), "venv", *settings])
        seconds = time.monotonic() - began
        disk = size_on_disk(Path(scratch))
        pytorch, others = fetched(log)
        print("| PyTorch GB | other packages GB | GB on disk | s |")
        print("| --- | --- | --- | --- |")
        print(
            f"| {pytorch / 1e9:.2f} | {others / 1e9:.2f} | {disk / 1e9:.1f} | {seconds:.0f} |",
            flush=True,  # before what has been installed is removed, which takes its time
        )


def show(command: list[str]) -> str:
    """Run a command, show what it prints as it does, and return it."""
    environment = {**os.environ, "PIP_NO_CACHE_DIR": "1"}
    lines = []
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise SystemExit(process.returncode)
    return "".join(lines)


def fetched(log: str) -> tuple[float, float]:
    """Bytes of PyTorch with its CUDA libraries, and of all others."""
    sizes = {}
    for wheel, number, unit in FETCHED.findall(log):
        local = Path(wheel)
        size = float(number) * UNITS[unit] if number else local.stat().st_size
        sizes[local.name] = size
    pytorch = sum(size for name, size in sizes.items() if PYTORCH.match(name))
    return pytorch, sum(sizes.values()) - pytorch


def size_on_disk(folder: Path) -> int:
    """Bytes of the folder's files, in whole blocks."""
    done = subprocess.run(["du", "-sk", folder], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0]) * 1024


if __name__ == "__main__":
    main()
