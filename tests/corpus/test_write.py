import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from medsweep.corpus import Document, write_jsonl


def test_only_the_user_may_read_it(tmp_path: Path) -> None:
    write_jsonl([Document("1", "a")], tmp_path / "a.jsonl")
    assert stat.S_IMODE((tmp_path / "a.jsonl").stat().st_mode) == 0o600


def test_a_failure_on_the_way_leaves_what_was_there(tmp_path: Path) -> None:
    def broken() -> Iterator[Document]:
        yield Document("1", "a")
        raise OSError

    path = tmp_path / "a.jsonl"
    path.write_text("before")
    with pytest.raises(OSError):  # noqa: PT011 - raised above
        write_jsonl(broken(), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
