from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from medsweep.arms import make_arm
from medsweep.arms.decoder import Decoder
from medsweep.arms.prompts import Prompts
from medsweep.corpus import Document, Span
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


@pytest.mark.parametrize("tokens", [12, 30, 100_000])
def test_stretches_cover_the_text_and_judge_it_once(folder: ModelFolder, tokens: int) -> None:
    decoder = Decoder(folder)
    text = " ".join(d.text for d in classification(9, 3)) + " " + "x" * 90
    found = decoder.stretches(text, tokens)
    assert (found[0].begin, found[-1].end) == (0, len(text))
    assert (len(found) == 1) == (tokens > len(text))
    for one, later in pairwise(found):
        assert one.begin < later.begin <= one.end == later.seen
        assert one.own[1] == later.own[0]
        assert later.begin <= later.own[0] <= one.end


def test_a_long_document_is_read_whole_and_its_stretches_vote(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "word " * 300 + "quit smoking " + "word " * 300
    asked: list[str] = []

    def write(self: Decoder, prompts: list[list[int]], *_: object) -> list[str]:
        shown = [str(self._tokenizer.decode(p)) for p in prompts]
        asked.extend(shown)
        return ['{"label": "past"}' if "quit" in s else "no answer" for s in shown]

    monkeypatch.setattr(Decoder, "write", write)
    task = make_task("classification", ("current", "past"), "macro_f1")
    options = {"method": "generate", "max_length": 100}
    arm = make_arm("zero_shot", task, model=folder, options=options)
    assert arm.predict([], [Document("a", text)], seed=0)[0].label == "past"
    assert len(asked) > 5
    # By default the model sees as much as its context holds at once.
    asked.clear()
    arm = make_arm("zero_shot", task, model=folder, options={"method": "generate"})
    arm.predict([], [Document("a", text)], seed=0)
    assert len(asked) < 5
    assert sum("quit" in s for s in asked) in (1, 2)


def test_a_mention_at_the_border_of_stretches_is_found_once(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    mention = "acute renal failure"

    def write(self: Decoder, prompts: list[list[int]], *_: object) -> list[str]:
        answer = f'[{{"text": "{mention}", "type": "Problem"}}]'
        shown = [str(self._tokenizer.decode(p)).rpartition("Document:")[2] for p in prompts]
        return [answer if mention in s else "[]" for s in shown]

    monkeypatch.setattr(Decoder, "write", write)
    task = make_task("ner", ("Problem",), "span_f1")
    arm = make_arm("zero_shot", task, model=folder, options={"max_length": 60})
    texts = ["word " * n + mention + " word" * 60 for n in range(40, 80)]
    for text, found in zip(
        texts,
        arm.predict([], [Document(str(i), t) for i, t in enumerate(texts)], seed=0),
        strict=True,
    ):
        start = text.index(mention)
        assert found.spans == (Span(start, start + len(mention), "Problem"),)


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
