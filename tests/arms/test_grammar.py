"""Answers of random weights, which say anything they may."""

import json
from pathlib import Path

import numpy as np
import pytest

from medsweep.arms import make_arm
from medsweep.arms.decoder import Decoder
from medsweep.arms.grammar import Grammar, forbid
from medsweep.arms.options import check_arm
from medsweep.arms.prompts import Prompts
from medsweep.corpus import Document, Span
from medsweep.errors import ConfigError
from medsweep.models import ModelFolder
from medsweep.tasks import make_task
from tests.arms.conftest import classification, ner
from tests.training.writers import make_writer

LABELS = ("former", "never", "smoker")
NAMES = {"former": 'ex-"smoker"', "never": "Nie geraucht, äh", "smoker": "smoker"}


@pytest.fixture(params=["decoder", "chat_decoder"])
def folder(request: pytest.FixtureRequest) -> ModelFolder:
    found: ModelFolder = request.getfixturevalue(request.param)
    return found


def test_random_weights_name_a_class(folder: ModelFolder) -> None:
    task = make_task("classification", LABELS, "macro_f1")
    options = {"method": "generate", "constrained": True, "max_new_tokens": 60, "names": NAMES}
    arm = make_arm("zero_shot", task, model=folder, options=options)
    found = arm.predict([], classification(6, 1), seed=0)
    assert all(p.label in LABELS for p in found)


def test_random_weights_name_labels(folder: ModelFolder) -> None:
    task = make_task("multilabel", LABELS, "micro_f1")
    options = {"constrained": True, "max_new_tokens": 150}
    arm = make_arm("zero_shot", task, model=folder, options=options)
    documents = [Document(d.id, d.text, labels=()) for d in classification(4, 1)]
    assert all(p.labels is not None for p in arm.predict([], documents, seed=0))


def test_random_weights_begin_a_list_of_mentions(folder: ModelFolder) -> None:
    decoder = Decoder(folder)
    task = make_task("ner", ("Drug", "Dose"), "span_f1", ("route",))
    prompts = Prompts.of(task, names={}, instruction=None, as_json=True)
    asked = []
    for document in ner(4, 1):
        messages = prompts.messages(document.text)
        asked.append(decoder.prompt(messages, prompts.plain(messages)))
    for answer in decoder.write(asked, 40, decoder.grammar(prompts.schema())):
        assert answer == "[]" or answer.startswith('[{"text": "')


@pytest.mark.parametrize("name", ["llama", "gpt2", "qwen2", "gemma3"])
def test_every_gold_answer_is_allowed_and_ends(name: str, tmp_path: Path) -> None:
    decoder = Decoder(make_writer(name, tmp_path))
    span = Span(0, 4, "Drug", attributes=(("route", "p.o."),))
    documents = {
        "classification": Document("a", "ACE\nx", label="never"),
        "multilabel": Document("a", "ACE\nx", labels=("never", "former")),
        "ner": Document("a", "ACE\nx", spans=(span, Span(4, 5, "Dose"))),
    }
    for kind, document in documents.items():
        labels = ("Drug", "Dose") if kind == "ner" else LABELS
        metric = {"classification": "accuracy", "multilabel": "micro_f1", "ner": "span_f1"}[kind]
        fields = ("route",) if kind == "ner" else ()
        task = make_task(kind, labels, metric, fields)  # type: ignore[arg-type]
        names = {} if kind == "ner" else NAMES
        prompts = Prompts.of(task, names=names, instruction=None, as_json=True)
        size = decoder._model.config.get_text_config().vocab_size
        end = decoder._ends() or {decoder._tokenizer.eos_token_id}
        grammar = Grammar(prompts.schema(), decoder._tokenizer, size, end)
        state = grammar.begin()
        answer = prompts.answer(document, document.text)
        assert json.loads(answer) is not None
        tokens = [*decoder._ids(answer), min(end)]
        for token in tokens:
            allowed = forbid(decoder._model.lm_head.weight.new_zeros(1, size), [state])
            assert np.isfinite(allowed[0, token].item())
            assert state.consume_token(token)
        assert state.is_stopped()


def test_likelihoods_are_not_constrained() -> None:
    for options in ({"constrained": True}, {"constrained": True, "method": "likelihood"}):
        with pytest.raises(ConfigError, match="only what is generated"):
            check_arm("zero_shot", "classification", options)
    check_arm("zero_shot", "ner", {"constrained": True})


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medsweep.arms.options.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"medsweep\[constrained\]"):
        check_arm("few_shot", "ner", {"constrained": True})
