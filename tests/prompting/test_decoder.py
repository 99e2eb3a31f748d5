from pathlib import Path

import numpy as np
import pytest

from medsweep.models import ModelFolder
from medsweep.prompting.decoder import Decoder
from medsweep.prompting.prompt import Prompts
from medsweep.tasks import make_task
from tests.documents import classification
from tests.training.writers import make_writer

TASK = make_task("classification", ("former", "never", "smoker"), "macro_f1")


@pytest.mark.parametrize("shared", [True, False])
def test_reuse_changes_nothing(any_decoder: ModelFolder, shared: bool) -> None:
    decoder = Decoder.load(any_decoder)
    decoder._model.float()
    prompts = Prompts.of(TASK, names={}, instruction=None, as_json=False)
    asked = []
    for i, document in enumerate(classification(9, 3)):
        messages = prompts.messages(document.text[: 20 + 9 * i])
        ids = decoder.prompt_ids(messages, prompts.plain(messages))
        asked.append(ids if shared else [i + 5, *ids])
    answers = [decoder.answer_ids(x) for x in ("never", "a current smoker", "x")]
    np.testing.assert_allclose(
        decoder.scores(asked, answers), decoder.scores_uncached(asked, answers), atol=2e-4
    )


@pytest.mark.parametrize("name", ["llama", "gpt2", "qwen2", "gemma3"])
def test_neither_ended_rows_nor_what_is_shared_change_anything(name: str, tmp_path: Path) -> None:
    decoder = Decoder.load(make_writer(name, tmp_path))
    decoder._model.double()
    prompts = Prompts.of(TASK, names={}, instruction=None, as_json=True)
    asked = []
    for i, document in enumerate(classification(6, 3)):
        messages = prompts.messages(document.text[: 20 + 9 * i])
        asked.append(decoder.prompt_ids(messages, prompts.plain(messages)))
    limits = [12, 3, 9, 12, 1, 6]
    free = decoder.generate_uncached(asked, limits, set())
    assert [len(row) for row in free] == limits
    assert decoder._generate_cached(asked, limits, set()) == free
    # Answers of random weights have no end; what one of them says in its middle will do.
    ends = {free[0][4]}
    stopped = decoder.generate_uncached(asked, limits, ends)
    assert sum(map(len, stopped)) < sum(limits)
    assert decoder._generate_cached(asked, limits, ends) == stopped
    # Some layers of qwen2 and gemma3 see less than the longest prompt.
    answers = [decoder.answer_ids(x) for x in ("never", "a current smoker", "x")]
    np.testing.assert_allclose(
        decoder.scores(asked, answers), decoder.scores_uncached(asked, answers), atol=1e-5
    )
