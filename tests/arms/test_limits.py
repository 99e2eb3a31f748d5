"""Whoever writes the gold answer has room for it, under the limits of a sweep file."""

from pathlib import Path
from typing import Any

import pytest

from medsweep.arms import make_arm
from medsweep.arms.endpoint import Endpoint
from medsweep.config import load_sweep
from medsweep.corpus import Document, read_documents
from medsweep.corpus.samples import write_sample
from medsweep.models import ModelFolder
from medsweep.prompting.decoder import Decoder
from medsweep.prompting.limit import answer_limit, list_limit, longest_answer, text_beside_list
from medsweep.prompting.prompt import Prompts
from medsweep.prompting.window import excerpt
from medsweep.tasks import Task, labels_of, make_task
from tests.documents import without_gold

SWEEP = load_sweep(Path(__file__).parents[2] / "sweeps" / "cardiology-attributes.yaml")
CONTEXT = 8192


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Document], list[Document]]:
    """The smallest training set of the sweep file, and its test documents."""
    folder = tmp_path_factory.mktemp("sample")
    write_sample("cardiology", folder)
    train, test = (
        read_documents(
            folder / f"{part}.jsonl", kind="ner", format="jsonl", attributes=SWEEP.task.attributes
        )
        for part in ("train", "test")
    )
    return train[:50], test


@pytest.fixture(scope="module")
def task(letters: tuple[list[Document], list[Document]]) -> Task:
    labels = labels_of("ner", letters[0])
    return make_task("ner", labels, SWEEP.task.metric, SWEEP.task.attributes)


def test_an_oracle_in_place_of_the_model_scores_one(
    letters: tuple[list[Document], list[Document]],
    task: Task,
    decoder: ModelFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train, test = letters[0], letters[1][:25]
    prompts = Prompts.of(task, names={}, instruction=None, as_json=True)

    def generate(self: Decoder, asked: list[list[int]], limit: int, *_: Any) -> list[str]:
        answers = []
        for ids in asked:
            shown = str(self._tokenizer.decode(ids))
            text = shown.rpartition("Document:\n")[2].partition("\n\nAnswer only")[0]
            document = next(d for d in test if text in d.text)
            start = document.text.index(text)
            part = excerpt(document, start, start + len(text))
            written = self.answer_ids(prompts.answer(part, part.text))[:limit]
            answers.append(str(self._tokenizer.decode(written)))
        return answers

    monkeypatch.setattr(Decoder, "generate", generate)
    for name in ("zero_shot", "few_shot"):
        arm: Any = make_arm(name, task, model=decoder)
        arm._decoder.context = CONTEXT
        found = arm.predict(train, without_gold(test), seed=0)
        scores = task.score([task.gold(d) for d in test], [task.value(p) for p in found])
        assert scores["attribute_f1"] == 1.0, name
        assert not any(p.salvaged for p in found)


def test_services_and_tuned_models_have_room_for_the_gold(
    letters: tuple[list[Document], list[Document]], task: Task
) -> None:
    train, test = letters
    prompts = Prompts.of(task, names={}, instruction=None, as_json=True)
    service = make_arm("endpoint", task, options={"url": "http://x", "model": "m"})
    assert isinstance(service, Endpoint)
    limit = service._limit(train, service._options.max_chars)
    for document in test:
        # Large vocabularies take two bytes or more of JSON a token, and about four of prose.
        size = len(prompts.answer(document, document.text).encode()) // 2 + 1
        assert size <= limit
        assert size <= list_limit(len(document.text.encode()) // 4, attributes=True)


def test_labels_have_room_whatever_the_training_documents_show() -> None:
    for kind, longest in (("classification", 16), ("multilabel", 24)):
        some: Any = kind
        task = make_task(some, ("a", "bcd"), "macro_f1")
        prompts = Prompts.of(task, names={}, instruction=None, as_json=True)
        assert longest_answer(prompts, [], lambda _: [], len) == longest
    assert answer_limit(16) == 16 + 8 + 32


@pytest.mark.parametrize("attributes", [False, True])
def test_a_text_and_the_list_of_its_mentions_fit_together(attributes: bool) -> None:
    for free in (100, 700, 3000, 10_000):
        text = text_beside_list(free, attributes=attributes)
        assert text + list_limit(text, attributes=attributes) <= free
        assert text + 2 + list_limit(text + 2, attributes=attributes) > free
