from pathlib import Path

import numpy as np
import pytest

from medsweep.arms import make_arm
from medsweep.arms.decoder import Decoder
from medsweep.arms.prompts import Prompts
from medsweep.corpus import Document
from medsweep.errors import ConfigError
from medsweep.models import ModelFolder
from medsweep.tasks import make_task
from tests.arms.conftest import classification
from tests.training.writers import make_writer

TASK = make_task("classification", ("former", "never", "smoker"), "macro_f1")


@pytest.fixture(params=["decoder", "chat_decoder"])
def folder(request: pytest.FixtureRequest) -> ModelFolder:
    found: ModelFolder = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("shared", [True, False])
def test_reuse_changes_nothing(folder: ModelFolder, shared: bool) -> None:
    decoder = Decoder(folder)
    decoder._model.float()
    prompts = Prompts.of(TASK, names={}, instruction=None, as_json=False)
    asked = []
    for i, document in enumerate(classification(9, 3)):
        messages = prompts.messages(document.text[: 20 + 9 * i])
        ids = decoder.prompt(messages, prompts.plain(messages))
        asked.append(ids if shared else [i + 5, *ids])
    answers = [decoder.label(x) for x in ("never", "a current smoker", "x")]
    np.testing.assert_allclose(
        decoder.scores(asked, answers), decoder.scores_plainly(asked, answers), atol=2e-4
    )


@pytest.mark.parametrize("name", ["llama", "gpt2", "qwen2", "gemma3"])
def test_neither_ended_rows_nor_what_is_shared_change_anything(name: str, tmp_path: Path) -> None:
    decoder = Decoder(make_writer(name, tmp_path))
    decoder._model.double()
    prompts = Prompts.of(TASK, names={}, instruction=None, as_json=True)
    asked = []
    for i, document in enumerate(classification(6, 3)):
        messages = prompts.messages(document.text[: 20 + 9 * i])
        asked.append(decoder.prompt(messages, prompts.plain(messages)))
    limits = [12, 3, 9, 12, 1, 6]
    free = decoder.written_plainly(asked, limits, set())
    assert [len(row) for row in free] == limits
    assert decoder._written(asked, limits, set()) == free
    # Answers of random weights have no end; what one of them says in its middle will do.
    ends = {free[0][4]}
    stopped = decoder.written_plainly(asked, limits, ends)
    assert sum(map(len, stopped)) < sum(limits)
    assert decoder._written(asked, limits, ends) == stopped
    # Some layers of qwen2 and gemma3 see less than the longest prompt.
    answers = [decoder.label(x) for x in ("never", "a current smoker", "x")]
    np.testing.assert_allclose(
        decoder.scores(asked, answers), decoder.scores_plainly(asked, answers), atol=1e-5
    )


def test_clip_keeps_both_ends(folder: ModelFolder) -> None:
    decoder = Decoder(folder)
    text = "first " + "middle " * 200 + "last"
    short = decoder.clip(text, 40)
    assert short.startswith("first")
    assert short.endswith("last")
    assert len(short) < 300
    assert decoder.clip("<|end|>harm", 40) == " harm"


def test_pieces_cover_the_text(folder: ModelFolder) -> None:
    decoder = Decoder(folder)
    text = " ".join(d.text for d in classification(9, 3)) + " " + "x" * 90
    pieces = decoder.pieces(text, 30)
    assert all(text[start : start + len(part)] == part for start, part in pieces)
    covered = {i for start, part in pieces for i in range(start, start + len(part))}
    assert all(text[i].isspace() for i in set(range(len(text))) - covered)
    assert sum(len(p) for _, p in pieces) <= len(text)


def test_long_documents_and_examples_fit(folder: ModelFolder) -> None:
    long = Document("a", "fever and pain " * 400)
    train = [Document(str(i), "smokes daily " * 300, label="smoker") for i in range(6)]
    options = {"k": 6, "example_length": 300, "max_length": 2000}
    arm = make_arm("few_shot", TASK, model=folder, options=options)
    assert arm.predict(train, [long], seed=0)[0].label in TASK.labels
    hopeless = {"instruction": "word " * 900}
    with pytest.raises(ConfigError, match="does not fit"):
        make_arm("zero_shot", TASK, model=folder, options=hopeless).predict([], [long], seed=0)


def test_random_weights_write_no_json(folder: ModelFolder) -> None:
    arm = make_arm(
        "zero_shot", TASK, model=folder, options={"method": "generate", "max_new_tokens": 6}
    )
    assert [p.label for p in arm.predict([], classification(3, 1), seed=0)] == [None] * 3
