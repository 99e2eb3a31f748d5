from collections.abc import Callable
from pathlib import Path

import pytest

from medsweep.corpus import Document

SHARED = Path(__file__).parents[2].parent / "shared" / "data"

# Planted in every malformed input; no message may hold it.
CANARY = "Zwetschgenkanarie"


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the real corpora are not beside this checkout")
    return SHARED


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def labelled(counts: dict[str, int], groups: dict[str, str] | None = None) -> list[Document]:
    """Documents by label, all texts different."""
    return [
        Document(f"{label}{i}", f"text {label} {i}", label=label, group=(groups or {}).get(label))
        for label, count in counts.items()
        for i in range(count)
    ]
