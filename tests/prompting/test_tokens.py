from itertools import pairwise

import pytest
from transformers import AutoTokenizer

from medsweep.models import ModelFolder
from medsweep.prompting.tokens import PromptTokenizer
from tests.documents import classification


def _tokenizer(folder: ModelFolder) -> PromptTokenizer:
    return PromptTokenizer(AutoTokenizer.from_pretrained(folder.path))


def test_clip_keeps_both_ends(any_decoder: ModelFolder) -> None:
    tokenizer = _tokenizer(any_decoder)
    text = "first " + "middle " * 200 + "last"
    short = tokenizer.clip(text, 40)
    assert short.startswith("first")
    assert short.endswith("last")
    assert len(short) < 300
    assert tokenizer.clip("<|end|>harm", 40) == " harm"


@pytest.mark.parametrize("size", [12, 30, 100_000])
def test_windows_cover_the_text_and_judge_it_once(any_decoder: ModelFolder, size: int) -> None:
    tokenizer = _tokenizer(any_decoder)
    text = " ".join(d.text for d in classification(9, 3)) + " " + "x" * 90
    windows = tokenizer.windows(text, size)
    assert (windows[0].start, windows[-1].end) == (0, len(text))
    assert (len(windows) == 1) == (size > len(text))
    for one, later in pairwise(windows):
        assert one.start < later.start <= one.end == later.previous_end
        assert one.core[1] == later.core[0]
        assert later.start <= later.core[0] <= one.end
