"""What a process holds, and what a pass is expected to take."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import torch

from medsweep.training._base import Recipe
from medsweep.training.memory import release
from medsweep.training.shared import SharedEngine
from tests.training.shapes import documents, make_base, the_task

ROOT = Path(__file__).parents[2]


def peaks(folder: Path) -> tuple[int, int]:
    """Peak resident bytes over 20 lives of a slot, and over 180 more in the same process."""
    base = make_base("bert", folder, "classification", torch.float32)
    engine = SharedEngine(base, the_task("classification"))
    # Adapter, best adapter and moments are 2 MB: one that stayed would be seen.
    recipe = Recipe(rank=128, top_layers=2, min_steps=1, epochs=1, evaluations=2)
    train, dev, process = documents(8, 1), documents(4, 2), psutil.Process()

    def peak(cycles: int) -> int:
        found = 0
        for _ in range(cycles):
            engine.attach("one", recipe, train, dev)
            engine.advance("one")
            engine.state("one")
            release()
            found = max(found, process.memory_info().rss)
            engine.detach("one")
        return found

    return peak(20), peak(180)


def test_a_host_does_not_grow(tmp_path: Path) -> None:
    """In a process of its own, as a host is: here other tests' memory would be reused."""
    command = [sys.executable, "-m", "tests.training.test_memory", str(tmp_path / "base")]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    said = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
    after_20, after_200 = map(int, said.stdout.split())
    assert after_200 <= 1.02 * after_20


if __name__ == "__main__":
    print(*peaks(Path(sys.argv[1])))
