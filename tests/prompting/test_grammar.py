"""Answers of random weights, which say anything they may."""

import json
from pathlib import Path

import numpy as np
import pytest

from medsweep.corpus import Document, Span
from medsweep.models import ModelFolder
from medsweep.prompting.decoder import Decoder
from medsweep.prompting.grammar import Grammar, mask_logits
from medsweep.prompting.prompt import Prompts
from medsweep.tasks import make_task
from tests.documents import ner
from tests.training.writers import make_writer

LABELS = ("former", "never", "smoker")
NAMES = {"former": 'ex-"smoker"', "never": "Nie geraucht, äh", "smoker": "smoker"}


def test_random_weights_begin_a_list_of_mentions(any_decoder: ModelFolder) -> None:
    decoder = Decoder.load(any_decoder)
    task = make_task("ner", ("Drug", "Dose"), "span_f1", ("route",))
    prompts = Prompts.of(task, names={}, instruction=None, as_json=True)
    asked = []
    for document in ner(4, 1):
        messages = prompts.messages(document.text)
        asked.append(decoder.prompt_ids(messages, prompts.plain(messages)))
    for answer in decoder.generate(asked, 40, decoder.grammar(prompts.schema())):
        assert answer == "[]" or answer.startswith('[{"text": "')


@pytest.mark.parametrize("name", ["llama", "gpt2", "qwen2", "gemma3"])
def test_every_gold_answer_is_allowed_and_ends(name: str, tmp_path: Path) -> None:
    decoder = Decoder.load(make_writer(name, tmp_path))
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
        end = decoder._end_tokens() or {decoder._tokenizer.eos_token_id}
        grammar = Grammar(prompts.schema(), decoder._tokenizer, size, end)
        state = grammar.begin()
        answer = prompts.answer(document, document.text)
        assert json.loads(answer) is not None
        tokens = [*decoder._ids(answer), min(end)]
        for token in tokens:
            allowed = mask_logits(decoder._model.lm_head.weight.new_zeros(1, size), [state])
            assert np.isfinite(allowed[0, token].item())
            assert state.consume_token(token)
        assert state.is_stopped()
