"""Prompted arms with random weights, which say anything they may."""

import pytest

from medsweep.arms import check_arm, make_arm
from medsweep.corpus import Document, Span
from medsweep.errors import ConfigError
from medsweep.models import ModelFolder
from medsweep.prompting.decoder import Decoder
from medsweep.tasks import make_task
from tests.documents import classification

LABELS = ("former", "never", "smoker")
NAMES = {"former": 'ex-"smoker"', "never": "Nie geraucht, äh", "smoker": "smoker"}
TASK = make_task("classification", LABELS, "macro_f1")


def test_a_long_document_is_read_whole_and_its_windows_vote(
    any_decoder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "word " * 300 + "quit smoking " + "word " * 300
    asked: list[str] = []

    def generate(self: Decoder, prompts: list[list[int]], *_: object) -> list[str]:
        shown = [str(self._tokenizer.decode(p)) for p in prompts]
        asked.extend(shown)
        return ['{"label": "past"}' if "quit" in s else "no answer" for s in shown]

    monkeypatch.setattr(Decoder, "generate", generate)
    task = make_task("classification", ("current", "past"), "macro_f1")
    options = {"method": "generate", "max_length": 100}
    arm = make_arm("zero_shot", task, model=any_decoder, options=options)
    assert arm.predict([], [Document("a", text)], seed=0)[0].label == "past"
    assert len(asked) > 5
    # By default the model sees as much as its context holds at once.
    asked.clear()
    arm = make_arm("zero_shot", task, model=any_decoder, options={"method": "generate"})
    arm.predict([], [Document("a", text)], seed=0)
    assert len(asked) <= 5
    assert sum("quit" in s for s in asked) in (1, 2)


def test_a_mention_at_the_border_of_windows_is_found_once(
    any_decoder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    mention = "acute renal failure"

    def generate(self: Decoder, prompts: list[list[int]], *_: object) -> list[str]:
        answer = f'[{{"text": "{mention}", "type": "Problem"}}]'
        shown = [str(self._tokenizer.decode(p)).rpartition("Document:")[2] for p in prompts]
        return [answer if mention in s else "[]" for s in shown]

    monkeypatch.setattr(Decoder, "generate", generate)
    task = make_task("ner", ("Problem",), "span_f1")
    arm = make_arm("zero_shot", task, model=any_decoder, options={"max_length": 60})
    texts = ["word " * n + mention + " word" * 60 for n in range(40, 80)]
    for text, found in zip(
        texts,
        arm.predict([], [Document(str(i), t) for i, t in enumerate(texts)], seed=0),
        strict=True,
    ):
        start = text.index(mention)
        assert found.spans == (Span(start, start + len(mention), "Problem"),)


def test_long_documents_and_examples_fit(any_decoder: ModelFolder) -> None:
    long = Document("a", "fever and pain " * 400)
    train = [Document(str(i), "smokes daily " * 300, label="smoker") for i in range(6)]
    options = {"k": 6, "example_length": 300, "max_length": 2000}
    arm = make_arm("few_shot", TASK, model=any_decoder, options=options)
    assert arm.predict(train, [long], seed=0)[0].label in TASK.labels
    hopeless = {"instruction": "word " * 900}
    with pytest.raises(ConfigError, match="does not fit"):
        make_arm("zero_shot", TASK, model=any_decoder, options=hopeless).predict([], [long], seed=0)


def test_random_weights_write_no_json(any_decoder: ModelFolder) -> None:
    arm = make_arm(
        "zero_shot", TASK, model=any_decoder, options={"method": "generate", "max_new_tokens": 6}
    )
    assert [p.label for p in arm.predict([], classification(3, 1), seed=0)] == [None] * 3


def test_likelihoods_are_not_constrained() -> None:
    for options in ({"constrained": True}, {"constrained": True, "method": "likelihood"}):
        with pytest.raises(ConfigError, match="only what is generated"):
            check_arm("zero_shot", "classification", options)
    check_arm("zero_shot", "ner", {"constrained": True})


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medsweep.arms.zero_shot.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"medsweep\[constrained\]"):
        check_arm("few_shot", "ner", {"constrained": True})


def test_random_weights_name_a_class(any_decoder: ModelFolder) -> None:
    task = make_task("classification", LABELS, "macro_f1")
    options = {"method": "generate", "constrained": True, "max_new_tokens": 60, "names": NAMES}
    arm = make_arm("zero_shot", task, model=any_decoder, options=options)
    found = arm.predict([], classification(6, 1), seed=0)
    assert all(p.label in LABELS for p in found)


def test_random_weights_name_labels(any_decoder: ModelFolder) -> None:
    task = make_task("multilabel", LABELS, "micro_f1")
    options = {"constrained": True, "max_new_tokens": 150}
    arm = make_arm("zero_shot", task, model=any_decoder, options=options)
    documents = [Document(d.id, d.text, labels=()) for d in classification(4, 1)]
    assert all(p.labels is not None for p in arm.predict([], documents, seed=0))
